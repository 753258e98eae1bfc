"""Policy files (c2sp.org/tlog-policy): which logs, which witnesses, and whose cosignatures a checkpoint needs. Pure."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from ledger.proof.notes import (
    COSIGNATURE,
    ED25519,
    BadNote,
    CheckpointText,
    UnverifiedNote,
    Verifier,
    parse_checkpoint,
    parse_note,
    parse_verifier,
    verified_signatures,
)

NONE = "none"
# More than the specification asks for, and few enough to be read by a person.
MAX_BYTES = 100_000
_FORBIDDEN = re.compile(rb"[^\t\n\x20-\x7e\x80-\xff]")
_THRESHOLD = re.compile(r"[1-9][0-9]{0,3}", re.ASCII)


class PolicyRefused(ValueError):
    """Not a policy file; the message names the line."""


@dataclass(frozen=True)
class KnownLog:
    """A log that the policy accepts."""

    verifier: Verifier
    url: str = ""


@dataclass(frozen=True)
class KnownWitness:
    """A witness, by its name in the policy; the URL is where checkpoints are sent."""

    name: str
    verifier: Verifier
    url: str = ""


@dataclass(frozen=True)
class Group:
    """So many of its members must have witnessed a checkpoint for the group to have."""

    threshold: int
    members: tuple[str, ...]


@dataclass
class Policy:
    """A policy file read."""

    quorum: str = ""
    logs: list[KnownLog] = field(default_factory=list)
    witnesses: dict[str, KnownWitness] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)

    def is_met_by(self, witnesses: Collection[str], name: str | None = None) -> bool:
        """Do these witnesses, by name, make the quorum (or the group of that name)?"""
        wanted = self.quorum if name is None else name
        if wanted == NONE:
            return True
        if wanted in self.witnesses:
            return wanted in witnesses
        group = self.groups[wanted]
        return sum(self.is_met_by(witnesses, member) for member in group.members) >= group.threshold

    def cosigners(self, note: str | bytes) -> set[str]:
        """Names of the witnesses whose cosignatures on the note verify; UnverifiedNote when one's does not."""
        names = {witness.verifier: witness.name for witness in self.witnesses.values()}
        return {names[verifier] for verifier in verified_signatures(parse_note(note), names)}

    def open_checkpoint(self, note: str | bytes) -> CheckpointText:
        """The checkpoint, when one of the logs signed it and the quorum cosigned it; UnverifiedNote otherwise."""
        parsed = parse_note(note)
        checkpoint = parse_checkpoint(parsed.text)
        signed = verified_signatures(parsed, [log.verifier for log in self.logs])
        if not any(verifier.name == checkpoint.origin for verifier in signed):
            raise UnverifiedNote("no signature by a log of the policy")
        if not self.is_met_by(self.cosigners(note)):
            raise UnverifiedNote("the policy's witnesses have not cosigned it")
        return checkpoint


def parse_policy(data: bytes) -> Policy:
    """Read a policy file; PolicyRefused says what is wrong with it."""
    if len(data) > MAX_BYTES:
        raise PolicyRefused("the policy is too long")
    if _FORBIDDEN.search(data):
        raise PolicyRefused("a policy has no control characters but tab and newline")
    policy, grouped = Policy(), set[str]()
    # Bytes beyond ASCII are opaque: they come through this decoding one to one.
    for number, line in enumerate(data.decode("utf-8", "surrogateescape").split("\n"), start=1):
        words = [word for word in re.split("[ \t]+", line) if word]
        if not words or words[0].startswith("#"):
            continue
        try:
            _read_line(policy, grouped, words)
        except (BadNote, PolicyRefused) as error:
            raise PolicyRefused(f"line {number}: {error}") from error
    if not policy.quorum:
        raise PolicyRefused("a policy has one quorum line")
    return policy


def _read_line(policy: Policy, grouped: set[str], words: list[str]) -> None:
    match words:
        case ["log", key, *url] if len(url) <= 1:
            _add_log(policy, KnownLog(parse_verifier(key), *url))
        case ["witness", name, key, *url] if len(url) <= 1:
            _add_witness(policy, KnownWitness(name, parse_verifier(key), *url))
        case ["group", name, threshold, *members] if members:
            _add_group(policy, grouped, name, threshold, members)
        case ["quorum", name]:
            if policy.quorum:
                raise PolicyRefused("a second quorum")
            if name != NONE:
                _must_be_defined(policy, name)
            policy.quorum = name
        case _:
            raise PolicyRefused("not a line of a policy")


def _add_log(policy: Policy, log: KnownLog) -> None:
    if log.verifier.algorithm != ED25519:
        raise PolicyRefused("the key is not a log's")
    if any(log.verifier.public_key == known.verifier.public_key for known in policy.logs):
        raise PolicyRefused("the log's key is there twice")
    policy.logs.append(log)


def _add_witness(policy: Policy, witness: KnownWitness) -> None:
    if witness.verifier.algorithm != COSIGNATURE:
        raise PolicyRefused("the key is not a witness's")
    if any(witness.verifier.public_key == known.verifier.public_key for known in policy.witnesses.values()):
        raise PolicyRefused("the witness's key is there twice")
    _must_be_new(policy, witness.name)
    policy.witnesses[witness.name] = witness


def _add_group(policy: Policy, grouped: set[str], name: str, threshold: str, members: list[str]) -> None:
    _must_be_new(policy, name)
    for member in members:
        _must_be_defined(policy, member)
        if member in grouped:
            raise PolicyRefused(f"{_shown(member)} is a member twice")
        grouped.add(member)
    needed = {"any": 1, "all": len(members)}.get(threshold)
    if needed is None:
        if not _THRESHOLD.fullmatch(threshold) or int(threshold) > len(members):
            raise PolicyRefused(f"a threshold is any, all or a number from 1 to {len(members)}")
        needed = int(threshold)
    policy.groups[name] = Group(needed, tuple(members))


def _must_be_new(policy: Policy, name: str) -> None:
    if name == NONE or name in policy.witnesses or name in policy.groups:
        raise PolicyRefused(f"the name {_shown(name)} is taken")


def _must_be_defined(policy: Policy, name: str) -> None:
    if name not in policy.witnesses and name not in policy.groups:
        raise PolicyRefused(f"{_shown(name)} is not defined above")


def _shown(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
