"""What is known about random dense networks, as statements in symbols with their conditions and sources.

Start at `theory.catalogue`: `predict(net)` gives everything that is stated of one network. Each statement
is a `theory.prediction.Prediction`; the files `forward`, `backward`, `ratios`, `finite_width` and
`mean_field` hold them by subject. `theory.sources` has formulas exactly as the sources print them.
"""
