"""The engine itself: a model over its ranks, behind the `Engine` protocol."""

from collections.abc import Callable
from functools import partial

import torch
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from proctor_runtime.checkpoints.architecture import ModelConfig
from proctor_runtime.engine.megatron import followers
from proctor_runtime.engine.megatron.executor import Executor
from proctor_runtime.engine.megatron.forward import Forward
from proctor_runtime.engine.megatron.graphs import Graphs, capturing
from proctor_runtime.engine.megatron.kv_store import (
    BLOCK_TOKENS,
    KvStore,
    check_budget,
    count_blocks,
    slot_bytes,
)
from proctor_runtime.engine.megatron.model import build_model, device
from proctor_runtime.engine.megatron.ranks import Ranks, leave
from proctor_runtime.engine.megatron.source import ModelSource
from proctor_runtime.engine.protocol import EngineDeadError, EngineInfo, Feature
from proctor_runtime.engine.scheduling.scheduler import Capacity
from proctor_runtime.engine.scheduling.step import Row, RowResult, Step

NO_CUDA = "no CUDA device: the model is on a CPU"
NO_GRAPHS_OF_RANKS = "ranks exchange activations within a step, and that is not captured"
NO_GRAPHS_OF_EXPERTS = "the tokens of each expert are counted on the host within a step"
NO_FLASH_DECODE = "keys and values are gathered for PyTorch's scaled dot product"

NOTICED_WITHIN_SECONDS = 5


def load_executor(source: ModelSource, ranks: Ranks) -> Executor:
    """Build and fill this rank's share of the model, and its KV store."""
    config = source.read_config()
    model = build_model(config, dtype=getattr(torch, source.dtype), initialize=False)
    source.load(model)
    longest = longest_sequence(source, config)
    forward = Forward(model, config, device(), longest=longest, split=source.parallelism)
    store = make_store(source, config, forward, ranks)
    graphs = None
    if source.options.cuda_graphs and not without_graphs(source, config, forward.device):
        scale = forward.layers[0].attention.scale
        graphs = Graphs(partial(forward.whole, store=store), scale, capturing())
    executor = Executor(forward, store, graphs=graphs)
    if graphs is not None:
        # So that it is known, before anybody asks, whether graphs can be captured here.
        executor.execute(Step(rows=(Row(0, (0,), 0, ((0, 1),), samples=True),)))
    return executor


def without_graphs(source: ModelSource, config: ModelConfig, where: torch.device) -> str:
    """Say why no step of this model can be captured as a CUDA graph; nothing if it can."""
    if where.type == "cpu":
        return NO_CUDA
    if source.parallelism.ranks > 1:
        return NO_GRAPHS_OF_RANKS
    return NO_GRAPHS_OF_EXPERTS if config.experts else ""


def longest_sequence(source: ModelSource, config: ModelConfig) -> int:
    """Return how long a sequence may be by what is asked for and what the model knows."""
    return min(source.max_sequence_length, config.max_position_embeddings)


def make_store(source: ModelSource, config: ModelConfig, forward: Forward, ranks: Ranks) -> KvStore:
    """Make a KV store of as many slots as every rank has room for."""
    dtype = getattr(torch, source.dtype)
    split = source.parallelism
    size = slot_bytes(config, dtype, tensor=split.tensor, pipeline=split.pipeline)
    longest = longest_sequence(source, config)
    blocks = ranks.least(count_blocks(source.options, longest, size, free_bytes(forward.device)))
    return KvStore(
        layers=len(forward.layers),
        groups=forward.layers[0].attention.groups,
        slots=blocks * BLOCK_TOKENS,
        channels=config.kv_channels,
        dtype=dtype,
        device=forward.device,
    )


def check_cache(source: ModelSource) -> None:
    """Refuse, before anything is loaded, a KV cache that could not hold one sequence."""
    config, dtype = source.read_config(), getattr(torch, source.dtype)
    split = source.parallelism
    size = slot_bytes(config, dtype, tensor=split.tensor, pipeline=split.pipeline)
    check_budget(source.options.kv_cache_gib, longest_sequence(source, config), size)


def free_bytes(where: torch.device) -> int | None:
    """Return a GPU's free memory; None for a CPU's, which others use too."""
    return torch.cuda.mem_get_info(where)[0] if where.type == "cuda" else None


class MegatronEngine:
    """Rank 0 of a Megatron-Core model."""

    def __init__(
        self, source: ModelSource, on_death: Callable[[Exception], None] = lambda _: None
    ) -> None:
        self.source = source
        check_cache(source)
        split = source.parallelism
        store = TCPStore("127.0.0.1", 0, split.ranks, is_master=True, wait_for_workers=False)
        self._followers = followers.spawn(source, store.port, on_death)
        try:
            self._ranks = Ranks.join(0, split, store)
            self._executor = load_executor(source, self._ranks)
        except BaseException:
            self._followers.kill()
            leave()
            raise

    @property
    def info(self) -> EngineInfo:
        """Describe the model as it is served."""
        config, options = self._executor.forward.config, self.source.options
        store, slots = self._executor.store.tensor, self._executor.store.slots
        split = self.source.parallelism
        return EngineInfo(
            engine="megatron-core",
            device=str(self._executor.forward.device),
            dtype=self.source.dtype,
            tensor_parallel=split.tensor,
            pipeline_parallel=split.pipeline,
            context_parallel=split.context,
            expert_parallel=split.expert,
            expert_tensor_parallel=split.expert_tensor_size,
            sequence_parallel=split.splits_tokens(config),
            max_sequence_length=min(longest_sequence(self.source, config), slots),
            num_layers=config.num_layers,
            hidden_size=config.hidden_size,
            vocab_size=config.vocab_size,
            kv_cache_blocks=slots // BLOCK_TOKENS,
            kv_cache_block_tokens=BLOCK_TOKENS,
            kv_cache_bytes=store.numel() * store.element_size(),
            prefix_caching=asked(options.prefix_caching, "prefixCaching"),
            chunked_prefill=asked(options.chunked_prefill, "chunkedPrefill"),
            cuda_graphs=self._cuda_graphs(config),
            flash_decode=self._flash_decode(),
        )

    def _cuda_graphs(self, config: ModelConfig) -> Feature:
        """Tell whether steps are replayed as graphs."""
        if not self.source.options.cuda_graphs:
            return asked(on=False, setting="cudaGraphs")
        graphs = self._executor.graphs
        where = self._executor.forward.device
        fault = graphs.fault if graphs else without_graphs(self.source, config, where)
        return Feature(on=not fault, reason=fault)

    def _flash_decode(self) -> Feature:
        """Tell why there is no kernel of its own for generating."""
        if not self.source.options.flash_decode:
            return asked(on=False, setting="flashDecode")
        on_cpu = self._executor.forward.device.type == "cpu"
        return Feature(on=False, reason=NO_CUDA if on_cpu else NO_FLASH_DECODE)

    @property
    def capacity(self) -> Capacity:
        """Tell what steps may hold."""
        options = self.source.options
        return Capacity(
            blocks=self._executor.store.slots // BLOCK_TOKENS,
            block_tokens=BLOCK_TOKENS,
            sequences=options.max_batch_size,
            step_tokens=options.step_tokens,
            prefix_caching=options.prefix_caching,
            chunked_prefill=options.chunked_prefill,
        )

    def execute(self, step: Step) -> list[RowResult]:
        """Compute a step on every rank."""
        where = self._executor.forward.device
        if where.type == "cuda":
            torch.cuda.set_device(where)  # current per thread, and this is another
        try:
            self._ranks.agree(step)
            return self._ranks.share(self._executor.execute(step))
        except Exception as error:
            if self._ranks.size == 1:
                require_device(where)
                raise
            # Once ranks have lost step with each other, all are lost. If one died, it was noticed.
            self._followers.mourn(NOTICED_WITHIN_SECONDS)
            raise EngineDeadError(f"a rank of the model failed: {error}") from error

    def close(self) -> None:
        """Send the other ranks home."""
        if not self._followers.died:
            self._followers.closing = True
            self._ranks.agree(None)
            self._followers.join()
        leave()


def require_device(where: torch.device) -> None:
    """Raise `EngineDeadError` where a device answers nothing any more.

    After an illegal access, say, CUDA fails every call of this process: only another one can help.
    """
    if where.type != "cuda":
        return
    try:
        torch.cuda.synchronize(where)
    except RuntimeError as error:
        raise EngineDeadError(f"{where} is lost to this process: {error}") from error


def asked(on: bool, setting: str) -> Feature:
    """Describe a feature that is in effect if it was asked for."""
    return Feature(on=on, reason="" if on else f"engine.{setting} is false")
