"""Texts that `mcverify.kernels.generated` compiles, one copy for each law and each activation."""
