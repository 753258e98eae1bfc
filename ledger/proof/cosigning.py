"""Cosigning: the newest checkpoint goes to the policy's witnesses, and what they sign of it is kept.

No witness can hold anything up: none is asked inside a transaction, each is asked by itself in a thread, and one in
trouble is left alone for a while. Nothing is stored that does not verify.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from ledger.models import Checkpoint, Cosignature, LogState, WitnessState
from ledger.proof.asking import SECONDS, Cosigned, Problem, StartFrom, Unanswered, ask
from ledger.proof.merkle import consistency_proof
from ledger.proof.notes import parse_note
from ledger.proof.policyfile import KnownWitness, Policy
from ledger.proof.tiles import Tiles
from ledger.witness.requests import request_body

# A witness that has the newest checkpoint is asked again after so long, to see that it is there.
FRESH = timedelta(seconds=60)
# One in trouble is left alone for so long; one that is being asked, until no answer can come any more.
PAUSE = timedelta(seconds=15)
BUSY = timedelta(seconds=3 * SECONDS + 5)
MAX_QUESTIONS = 3


@dataclass
class _Question:
    """What one witness is being asked, and where its proof starts."""

    witness: KnownWitness
    checkpoint: Checkpoint
    size: int
    count: int = 1
    is_cosigned: bool = False


def cosign_newest(policy: Policy, *, now: datetime) -> int:
    """Ask every witness that has not cosigned the newest checkpoint; answers how many cosigned it now."""
    checkpoint = Checkpoint.objects.order_by("-size").first()
    if checkpoint is None:
        return 0
    questions = [
        _Question(witness, checkpoint, size)
        for witness in policy.witnesses.values()
        if witness.url and (size := _claim(witness, checkpoint, now)) is not None
    ]
    if questions:
        _ask_all(policy, questions, now)
    # Also what a process that ended here left undone.
    publish(policy, checkpoint)
    return sum(question.is_cosigned for question in questions)


@transaction.atomic(durable=True)
def publish(policy: Policy, checkpoint: Checkpoint) -> None:
    """Make this the published checkpoint when the quorum has cosigned it; never an older one than before."""
    published = LogState.objects.values_list("published_size", flat=True).first() or 0
    if checkpoint.size <= published:
        return
    if policy.is_met_by(cosignatures_of([checkpoint], policy)[checkpoint.size]):
        LogState.objects.filter(published_size__lt=checkpoint.size).update(published_size=checkpoint.size)


def cosignatures_of(checkpoints: Sequence[Checkpoint], policy: Policy) -> dict[int, dict[str, str]]:
    """Of each checkpoint by size, the lines of the policy's witnesses by name."""
    found: dict[int, dict[str, str]] = {checkpoint.size: {} for checkpoint in checkpoints}
    rows = Cosignature.objects.filter(checkpoint__in=found).order_by("witness", "id")
    for row in rows:
        witness = policy.witnesses.get(row.witness)
        if witness is not None and witness.verifier.key_id.hex() == row.key_id:
            found[row.checkpoint_id][row.witness] = row.line
    return found


@transaction.atomic(durable=True)
def _claim(witness: KnownWitness, checkpoint: Checkpoint, now: datetime) -> int | None:
    """Take the right to ask this witness, and answer where it stands; None when there is nothing to ask yet."""
    WitnessState.objects.get_or_create(witness=witness.name)
    is_due = Q(ask_again_at=None) | Q(ask_again_at__lte=now)
    has_it = Cosignature.objects.filter(
        checkpoint=checkpoint, witness=witness.name, key_id=witness.verifier.key_id.hex()
    ).exists()
    if has_it:
        is_due &= Q(answered_at=None) | Q(answered_at__lte=now - FRESH) | ~Q(problem="")
    waiting = WitnessState.objects.filter(is_due, witness=witness.name)
    if not waiting.update(ask_again_at=now + BUSY):
        return None
    return WitnessState.objects.values_list("size", flat=True).get(witness=witness.name)


def _ask_all(policy: Policy, questions: Sequence[_Question], now: datetime) -> None:
    """Ask each in a thread of its own; a thread knows nothing of the database."""
    with ThreadPoolExecutor(len(questions), thread_name_prefix="witness") as threads:
        asked = {_submit(threads, question, now): question for question in questions}
        while asked:
            done, _ = wait(asked, return_when=FIRST_COMPLETED)
            for future in done:
                question = asked.pop(future)
                if _is_to_be_asked_again(question, future, now):
                    asked[_submit(threads, question, now)] = question
                elif question.is_cosigned:
                    # A witness that lets us wait does not delay what the others are enough for.
                    publish(policy, question.checkpoint)


def _submit(threads: ThreadPoolExecutor, question: _Question, now: datetime) -> "Future[Cosigned | StartFrom]":
    checkpoint = question.checkpoint
    start = min(question.size, checkpoint.size)
    proof = consistency_proof(Tiles().node, start, checkpoint.size)
    body = request_body(old=start, proof=proof, note=checkpoint.note)
    witness = question.witness
    return threads.submit(
        ask, witness.url, body, verifier=witness.verifier, text=parse_note(checkpoint.note).text,
        now=int(now.timestamp()),
    )  # fmt: skip


def _is_to_be_asked_again(question: _Question, future: "Future[Cosigned | StartFrom]", now: datetime) -> bool:
    """Keep what the witness answered; True where it only said from where it wants its proof."""
    name = question.witness.name
    try:
        answer = future.result()
        if isinstance(answer, StartFrom):
            return _start_from(question, answer.size)
    except Unanswered as refused:
        _note(name, problem=refused.problem, detail=str(refused)[:300], ask_again_at=now + PAUSE)
        return False
    _store(question, answer)
    question.is_cosigned = True
    _note(name, size=question.checkpoint.size, problem="", detail="", answered_at=now, ask_again_at=None)
    return False


def _start_from(question: _Question, size: int) -> bool:
    """Where the next proof starts; False where the witness has a newer checkpoint of ours already."""
    if size > question.checkpoint.size:
        newest = Checkpoint.objects.order_by("-size").values_list("size", flat=True).first() or 0
        if size > newest:
            raise Unanswered(Problem.AHEAD, f"{size} > {newest}")
        _note(question.witness.name, size=size, ask_again_at=None)
        return False
    if question.count == MAX_QUESTIONS:
        raise Unanswered(Problem.LYING, f"it answers {size} to a proof from {question.size}")
    question.size, question.count = size, question.count + 1
    return True


def _store(question: _Question, cosigned: Cosigned) -> None:
    witness = question.witness
    Cosignature.objects.bulk_create(
        [
            Cosignature(
                checkpoint=question.checkpoint,
                witness=witness.name,
                key_id=witness.verifier.key_id.hex(),
                timestamp=cosigned.timestamp,
                line=cosigned.line,
            )
        ],
        ignore_conflicts=True,
    )


def _note(witness: str, **fields: object) -> None:
    WitnessState.objects.filter(witness=witness).update(**fields)


def states(policy: Policy) -> Mapping[str, WitnessState]:
    """How far each witness of the policy is, by name; one never asked is at nothing."""
    known = {state.witness: state for state in WitnessState.objects.filter(witness__in=policy.witnesses)}
    return {name: known.get(name) or WitnessState(witness=name) for name in policy.witnesses}
