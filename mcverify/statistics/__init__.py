"""Tests of a prediction against many random networks: exact laws, Catoni, z and t behind guards, Holm, power.

The sampling unit is one network: a sample holds one number a network. Nothing here knows what was simulated.
"""
