from proctor_cli.local.backoff import Backoff


def test_delays_are_those_of_the_kubelet() -> None:
    backoff = Backoff(10)
    assert [backoff.next() for _ in range(8)] == [0, 10, 20, 40, 80, 160, 300, 300]


def test_a_long_run_is_forgiven() -> None:
    backoff = Backoff(10)
    for _ in range(3):
        backoff.next()
    backoff.ran(599)
    assert backoff.next() == 40
    backoff.ran(600)
    assert backoff.next() == 0
