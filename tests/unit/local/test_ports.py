"""Ports for several clusters of one machine."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from proctor_cli.local.ports import Ports, bound_socket


@pytest.fixture
def first() -> Iterator[Ports]:
    with closing(Ports()) as ports:
        yield ports


def test_no_port_is_given_twice(first: Ports) -> None:
    assert len({first.take() for _ in range(50)}) == 50


def test_two_clusters_have_different_ports(first: Ports) -> None:
    port = first.take()
    with closing(Ports(port)) as second:
        assert second.take() != port


def test_what_is_given_back_can_be_had(first: Ports) -> None:
    port = first.take()
    first.give_back(port)
    with closing(Ports(port)) as second:
        assert second.take() == port


def test_a_port_is_free_for_the_pod(first: Ports) -> None:
    port = first.take()
    with bound_socket(port) as pod:
        pod.listen()


def test_where_somebody_listens_is_passed_over(first: Ports) -> None:
    port = first.take()
    first.give_back(port)
    with bound_socket(port) as stranger, closing(Ports(port)) as second:
        stranger.listen()
        assert second.take() != port
