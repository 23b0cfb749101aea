"""Corrections in 1/width for any activation, and the exact statements that they are tested against.

`integrals`: Gaussian integrals and their derivatives; `signal`: E G_l and Var G_l (E4); `forward`: statements about
preactivations and activations; `tangents`: squared tangents (E6); `gradients`: statements about gradients (E6, E7);
`hidden_layer`: one hidden layer, exactly (E5); `weights`: kurtosis, ties and skewness of one layer (F1, F2, F3);
`residual`: one step of the length map, exactly (G3).
"""
