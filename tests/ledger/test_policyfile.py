"""Policy files: which quorums they say, and that what is not one is refused with its line."""

import itertools

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ledger.proof.notes import CheckpointText, Cosigner, Signer, UnverifiedNote, sign_note
from ledger.proof.policyfile import PolicyRefused, parse_policy

LOG = Signer("log.test/a", Ed25519PrivateKey.generate())
WITNESSES = [Cosigner(f"witness.test/w{number}", Ed25519PrivateKey.generate()) for number in range(7)]
VKEYS = [str(cosigner.verifier) for cosigner in WITNESSES]
TWO_LEVELS = f"""
# two institutes
log {LOG.verifier} https://log.test/
witness X1 {VKEYS[1]}
\twitness  X2 \t {VKEYS[2]}   https://x2.test/w
witness X3 {VKEYS[3]}
group X 2 X1 X2 X3
witness Y1 {VKEYS[4]}
witness Y2 {VKEYS[5]}
  # any of them
group Y any Y1 Y2
group both all X Y
quorum both
"""


def test_a_quorum_of_two_levels_is_met_by_exactly_these_sets():
    policy = parse_policy(TWO_LEVELS.encode())
    names = ["X1", "X2", "X3", "Y1", "Y2"]

    met = [chosen for size in range(6) for chosen in itertools.combinations(names, size) if policy.is_met_by(chosen)]

    assert met == [
        chosen
        for size in range(6)
        for chosen in itertools.combinations(names, size)
        if sum(name[0] == "X" for name in chosen) >= 2 and any(name[0] == "Y" for name in chosen)
    ]
    assert policy.witnesses["X2"].url == "https://x2.test/w"
    assert policy.logs[0].url == "https://log.test/"


def test_a_checkpoint_needs_the_log_and_the_quorum():
    policy = parse_policy(TWO_LEVELS.encode())
    text = str(CheckpointText("log.test/a", 5, bytes(32)))
    lines = [cosigner.cosign(text, at=1_790_000_000).rstrip("\n") for cosigner in WITNESSES]

    assert policy.open_checkpoint(sign_note(text, [LOG], [lines[1], lines[3], lines[5]])).size == 5
    # A stranger's cosignature neither helps nor harms.
    assert policy.cosigners(sign_note(text, [LOG], [lines[6], lines[1]])) == {"X1"}
    for some in ([1, 2, 3], [1, 4, 5], [6]):
        with pytest.raises(UnverifiedNote):
            policy.open_checkpoint(sign_note(text, [LOG], [lines[number] for number in some]))
    with pytest.raises(UnverifiedNote):
        policy.open_checkpoint(sign_note(text, [], [lines[1], lines[2], lines[4]]))
    other = str(CheckpointText("log.test/a", 6, bytes(32)))
    with pytest.raises(UnverifiedNote):
        policy.open_checkpoint(sign_note(other, [LOG], [lines[1], lines[2], lines[4]]))


def test_none_needs_nobody_and_one_witness_is_a_quorum():
    assert parse_policy(b"quorum none\n").is_met_by(set())
    alone = parse_policy(f"witness w {VKEYS[0]}\nquorum w\n".encode())
    assert not alone.is_met_by(set())
    assert alone.is_met_by({"w"})


def test_names_are_octets():
    policy = parse_policy(b"witness \xe2\x84\xaa " + VKEYS[0].encode() + b"\nwitness \xff " + VKEYS[1].encode()
                          + b"\nwitness K " + VKEYS[2].encode() + b"\nquorum \xff\n")  # fmt: skip
    assert len(policy.witnesses) == 3
    assert not policy.is_met_by({"K"})


W = [f"witness w{number} {VKEYS[number]}" for number in range(3)]


@pytest.mark.parametrize(
    ("lines", "word"),
    [
        ([], "one quorum"),
        ([W[0]], "one quorum"),
        (["quorum none", "quorum none"], "line 2: a second quorum"),
        (["quorum w0", W[0]], "line 1: w0 is not defined"),
        (["quorum"], "not a line"),
        (["quorum none none"], "not a line"),
        (["guild a any b"], "not a line"),
        ([W[0], f"witness w0 {VKEYS[1]}", "quorum none"], "taken"),
        ([W[0], f"witness other {VKEYS[0]}", "quorum none"], "twice"),
        ([f"witness none {VKEYS[0]}", "quorum none"], "taken"),
        ([f"witness w {LOG.verifier}", "quorum none"], "not a witness's"),
        ([f"log {VKEYS[0]}", "quorum none"], "not a log's"),
        ([f"log {LOG.verifier}", f"log {LOG.verifier}", "quorum none"], "twice"),
        ([f"log {LOG.verifier} u u", "quorum none"], "not a line"),
        (["log nonsense", "quorum none"], "name"),
        ([W[0], "group g 2 w0", "quorum g"], "from 1 to 1"),
        ([W[0], "group g 0 w0", "quorum g"], "from 1 to 1"),
        ([W[0], "group g 01 w0", "quorum g"], "from 1 to 1"),
        ([W[0], "group g +1 w0", "quorum g"], "from 1 to 1"),
        ([W[0], "group g any", "quorum g"], "not a line"),
        ([W[0], "group g any w0 w0", "quorum g"], "twice"),
        ([W[0], "group g any w0", "group h any w0", "quorum g"], "twice"),
        ([W[0], "group g any none", "quorum g"], "not defined"),
        ([W[0], "group g any g", "quorum g"], "not defined"),
        ([W[0], "group w0 any w0", "quorum w0"], "taken"),
        (["group none any none", "quorum none"], "taken"),
        (["quorum none\r"], "control"),
        (["quorum none # of them"], "not a line"),
    ],
)
def test_what_is_no_policy_is_refused(lines, word):
    with pytest.raises(PolicyRefused, match=word):
        parse_policy("".join(f"{line}\n" for line in lines).encode())


@given(st.binary(max_size=300))
def test_no_bytes_bring_the_parser_down(data):
    try:
        parse_policy(data)
    except PolicyRefused:
        return
    assert b"quorum" in data
