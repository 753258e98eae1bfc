from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from ledger.models import Asset, Entry, Hold, Wallet

# What may be part of a line of a job script. Hyphens may not come first: a value is never an option.
WORD = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,39}$"
CONSTRAINT = r"^([A-Za-z0-9_][A-Za-z0-9_.&|-]{0,79})?$"


class ResourceClass(models.Model):
    """Where a series' jobs run: GPU type to partition and gres, priority to QOS, memory and network to constraint."""

    code = models.CharField(max_length=40, unique=True, help_text=_("As series name it, such as h100-sxm-80gb."))
    name = models.CharField(max_length=80)
    partition = models.CharField(max_length=40)
    gres_type = models.CharField(max_length=40, help_text=_("The type in --gres=gpu:TYPE:N."))
    constraint = models.CharField(max_length=80, blank=True, help_text=_("Slurm features, such as nvlink&ib400."))
    qos_by_priority = models.JSONField(default=dict, help_text=_("QOS for each priority that series name."))
    gpus_per_node = models.PositiveIntegerField()
    total_gpus = models.PositiveIntegerField(help_text=_("In the whole partition."))
    cpus_per_gpu = models.PositiveIntegerField(default=8)
    memory_gb_per_gpu = models.PositiveIntegerField(default=64)
    max_walltime_minutes = models.PositiveIntegerField(default=2880)
    # For display.
    gpu_name = models.CharField(max_length=40)
    gpu_memory_gb = models.PositiveIntegerField()
    network_gbps = models.PositiveIntegerField()
    dense_bf16_tflops = models.PositiveIntegerField()

    class Meta:
        verbose_name_plural = "resource classes"
        constraints = [
            models.CheckConstraint(name="resource_class_partition_is_a_word", condition=Q(partition__regex=WORD)),
            models.CheckConstraint(name="resource_class_gres_type_is_a_word", condition=Q(gres_type__regex=WORD)),
            models.CheckConstraint(
                name="resource_class_constraint_is_plain", condition=Q(constraint__regex=CONSTRAINT)
            ),
            models.CheckConstraint(
                name="resource_class_counts",
                condition=Q(gpus_per_node__gt=0, total_gpus__gte=F("gpus_per_node"), cpus_per_gpu__gt=0)
                & Q(memory_gb_per_gpu__gt=0, max_walltime_minutes__gt=0),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class RedemptionQuerySet(models.QuerySet["Redemption"]):
    def waiting_to_submit(self, now: object) -> RedemptionQuerySet:
        """Pending, or claimed by a worker whose lease is over."""
        status = Redemption.Status
        return self.filter(Q(status=status.PENDING) | Q(status=status.SUBMITTING, lease_until__lte=now))

    def with_job(self) -> RedemptionQuerySet:
        """Those whose job waits or runs as far as we know."""
        return self.filter(status__in=[Redemption.Status.QUEUED, Redemption.Status.RUNNING])

    def unsettled(self) -> RedemptionQuerySet:
        return self.exclude(status__in=[Redemption.Status.SETTLED, Redemption.Status.CANCELLED])


class Redemption(models.Model):
    """Giving tokens up for one Slurm job. The row is its own queue: workers claim it, messages only wake them."""

    class Status(models.TextChoices):
        PENDING = "PENDING", _("pending")
        SUBMITTING = "SUBMITTING", _("submitting")
        QUEUED = "QUEUED", _("queued")
        RUNNING = "RUNNING", _("running")
        ENDED = "ENDED", _("ended")
        SETTLED = "SETTLED", _("settled")
        CANCELLED = "CANCELLED", _("cancelled")
        PARKED = "PARKED", _("parked")

    class Kind(models.TextChoices):
        SCRIPT = "SCRIPT", _("script")
        DASK = "DASK", _("Dask program")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    wallet = models.ForeignKey(Wallet, on_delete=models.PROTECT, related_name="redemptions")
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="redemptions")
    hold = models.OneToOneField(Hold, on_delete=models.PROTECT, related_name="redemption")
    resource_class = models.ForeignKey(ResourceClass, on_delete=models.PROTECT, related_name="redemptions")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="redemptions")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    gpus = models.PositiveIntegerField()
    walltime_seconds = models.PositiveIntegerField()
    job_name = models.CharField(
        max_length=64, help_text=_("The person's name for it; the job's own is made from the id.")
    )
    slurm_account = models.CharField(max_length=40)
    script = models.TextField(help_text=_("What the person wrote: a file that the job script runs."))
    job_script = models.TextField(help_text=_("As it was shown and as it is submitted."))

    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    reason = models.CharField(max_length=300, blank=True, help_text=_("Why it waits, or what went wrong."))
    # A worker's writes count only under the attempt it claimed; a later claim fences it off.
    attempt = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    # Set just before sbatch is called: from here on, whether a job exists is looked up, never guessed.
    intended_at = models.DateTimeField(null=True)
    intents = models.PositiveIntegerField(default=0)
    # Since when both squeue and sacct have answered that they know no such job.
    unseen_since = models.DateTimeField(null=True)
    job_id = models.CharField(max_length=40, blank=True)
    outcome = models.CharField(max_length=40, blank=True, help_text=_("How Slurm says the job ended."))
    exit_code = models.IntegerField(null=True)
    used_seconds = models.PositiveBigIntegerField(
        null=True, help_text=_("How long the job ran, all its runs together.")
    )
    charged_amount = models.BigIntegerField(null=True, help_text=_("GPU-seconds."))
    transfer = models.ForeignKey(Entry, on_delete=models.PROTECT, null=True, related_name="+")

    created_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    cancel_requested_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)

    objects = RedemptionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(name="redemption_asks_something", condition=Q(gpus__gt=0, walltime_seconds__gt=0)),
            models.CheckConstraint(
                name="redemption_charged_at_most_its_hold",
                condition=Q(charged_amount__isnull=True)
                | Q(charged_amount__gte=0, charged_amount__lte=F("gpus") * F("walltime_seconds")),
            ),
            models.CheckConstraint(
                name="redemption_settled_with_a_charge",
                condition=Q(status="SETTLED", charged_amount__isnull=False, settled_at__isnull=False)
                | Q(status="CANCELLED", charged_amount=0, settled_at__isnull=False)
                | (~Q(status__in=["SETTLED", "CANCELLED"]) & Q(charged_amount__isnull=True, settled_at__isnull=True)),
            ),
            models.CheckConstraint(
                name="redemption_with_a_job_names_it",
                condition=~Q(status__in=["QUEUED", "RUNNING", "ENDED"]) | ~Q(job_id=""),
            ),
            models.CheckConstraint(
                name="redemption_submitting_has_a_lease",
                condition=~Q(status="SUBMITTING") | Q(lease_until__isnull=False, attempt__gt=0),
            ),
            models.CheckConstraint(
                name="redemption_job_name_is_plain", condition=Q(job_name__regex=r"^[A-Za-z0-9_-]{1,64}$")
            ),
        ]
        indexes = [
            models.Index(
                name="redemption_unsettled", fields=["status", "id"], condition=~Q(status__in=["SETTLED", "CANCELLED"])
            ),
            models.Index(name="redemption_by_wallet", fields=["wallet", "-id"]),
        ]

    def __str__(self) -> str:
        return f"redemption {self.public_id}"

    @property
    def held_amount(self) -> int:
        """What its hold sets aside, in GPU-seconds."""
        return self.gpus * self.walltime_seconds

    @property
    def refunded_amount(self) -> int | None:
        return None if self.charged_amount is None else self.held_amount - self.charged_amount

    @property
    def slurm_name(self) -> str:
        """What its job is called and found by."""
        return f"hg-{self.public_id}"

    @property
    def reference(self) -> str:
        """What the ledger calls it."""
        return f"redemption:{self.public_id}"

    @property
    def is_settled(self) -> bool:
        return self.status in {self.Status.SETTLED, self.Status.CANCELLED}

    @property
    def may_cancel(self) -> bool:
        return not self.is_settled and self.status != self.Status.ENDED and self.cancel_requested_at is None


class RedemptionChange(models.Model):
    """One step of a redemption's history: the status it came to, when, and why."""

    redemption = models.ForeignKey(Redemption, on_delete=models.PROTECT, related_name="history")
    status = models.CharField(max_length=10, choices=Redemption.Status.choices)
    attempt = models.PositiveIntegerField()
    note = models.CharField(max_length=300, blank=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.redemption_id}: {self.status}"


class JobRun(models.Model):
    """One run of a redemption's job as accounting has it: a requeued job has several, told apart by when submitted."""

    redemption = models.ForeignKey(Redemption, on_delete=models.PROTECT, related_name="runs")
    job_id = models.CharField(max_length=40)
    submitted_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    state = models.CharField(max_length=40)
    exit_code = models.IntegerField()
    elapsed_seconds = models.PositiveBigIntegerField()
    charged_seconds = models.PositiveBigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="job_run_once", fields=["redemption", "job_id", "submitted_at"]),
            models.CheckConstraint(
                name="job_run_charged_at_most_elapsed", condition=Q(charged_seconds__lte=F("elapsed_seconds"))
            ),
        ]

    def __str__(self) -> str:
        return f"job {self.job_id}"


class Reconciliation(models.Model):
    """One comparison of holds, redemptions and the engine's jobs: how many differences of each kind it found."""

    at = models.DateTimeField()
    # False when the engine could not be asked, and only rows were compared.
    complete = models.BooleanField()
    differences = models.JSONField()

    class Meta:
        get_latest_by = "id"

    def __str__(self) -> str:
        return f"reconciliation at {self.at}"
