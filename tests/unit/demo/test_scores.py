import pytest

from demo.scores import Scores, differences, scores

MEASURED: Scores = {"task": {"acc,none": 0.8}}


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ({"task": {"acc,none": 0.8 + 1e-9}}, 0),
        ({"task": {"acc,none": 0.81}}, 1),
        ({"task": {"acc,none": 0.8, "acc_norm,none": 0.8}}, 1),
        ({}, 1),
        ({"task": {"acc,none": float("nan")}}, 1),
    ],
    ids=["equal", "different", "one missing", "one too many", "not a number"],
)
def test_differences_are_named(expected: Scores, found: int) -> None:
    assert len(differences(MEASURED, expected, 1e-6)) == found


def test_only_numbers_of_metrics_are_scores() -> None:
    results = {
        "alias": "arithmetic",
        "acc,none": 0.5,
        "acc_stderr,none": "N/A",
        "sample_len": 200,
    }
    names = ("arithmetic_mc", "arithmetic_gen", "arithmetic_ppl")
    report = {"results": dict.fromkeys(names, results)}
    assert scores(report)["arithmetic_mc"] == {"acc,none": 0.5}
