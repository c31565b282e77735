from proctor_runtime.engine.scheduling.blocks import BlockPool


def pool(count: int = 8, known: set[int] | None = None) -> tuple[BlockPool, list[int]]:
    evicted: list[int] = []
    return BlockPool(count, evicted.append), evicted


def known(_: int) -> bool:
    return True


def unknown(_: int) -> bool:
    return False


def test_blocks_are_contiguous_where_they_can_be() -> None:
    blocks, _ = pool()
    first = blocks.take(2, room=1)
    second = blocks.take(3)
    assert (first, second) == ([0, 1], [3, 4, 5])
    assert blocks.take(1, after=1) == [2]
    assert blocks.take(1, after=5) == [6]
    blocks.release(first, unknown)
    assert blocks.take(2) == [0, 1]


def test_sequences_with_room_of_like_size_lie_at_equal_distances() -> None:
    blocks, _ = pool(32)
    assert blocks.take(1) == [0]
    assert [blocks.take(3, room=room)[0] for room in (2, 4, 5)] == [8, 16, 24]
    assert blocks.take(3, room=1) == [4, 5, 6]


def test_room_to_grow_is_taken_by_others_only_for_want_of_more() -> None:
    blocks, _ = pool(6)
    first = blocks.take(1, room=3)
    assert blocks.take(2) == [4, 5]
    assert blocks.available == 3
    assert blocks.take(1) == [1]
    blocks.release(first, unknown)
    blocks.release([1], unknown)
    assert blocks.take(4) == [0, 1, 2, 3]


def test_scattered_blocks_are_taken_when_there_is_no_run() -> None:
    blocks, _ = pool(6)
    singles = [blocks.take(1) for _ in range(6)]
    for single in singles[::2]:
        blocks.release(single, unknown)
    assert blocks.available == 3
    assert blocks.take(3) == [0, 2, 4]
    assert blocks.held == 6


def test_the_longest_idle_is_evicted_and_the_end_of_a_sequence_before_its_beginning() -> None:
    blocks, evicted = pool(4)
    one, other = blocks.take(2), blocks.take(2)
    blocks.release(one, known)
    blocks.release(other, known)
    assert blocks.available == 4
    blocks.hold(one)
    blocks.release(one, known)
    assert sorted(blocks.take(3)) == [1, 2, 3]
    assert evicted == [3, 2, 1]


def test_a_block_is_free_when_its_last_holder_lets_go() -> None:
    blocks, _ = pool(2)
    taken = blocks.take(2)
    blocks.hold(taken)
    blocks.release(taken, unknown)
    assert (blocks.available, blocks.held) == (0, 2)
    blocks.release(taken, unknown)
    assert (blocks.available, blocks.held) == (2, 0)


def test_what_is_forgotten_need_not_be_evicted() -> None:
    blocks, evicted = pool(2)
    blocks.release(blocks.take(2), known)
    blocks.forget(0)
    blocks.forget(1)
    assert blocks.take(2) == [0, 1]
    assert evicted == []
