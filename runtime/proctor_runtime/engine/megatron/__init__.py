"""The Megatron-Core engine: one forward loop over ``GPTModel``, on CPU and on CUDA."""
