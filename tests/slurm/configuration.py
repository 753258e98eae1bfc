"""The lab's configuration files: three partitions, four nodes, fake GPUs that are links to /dev/null."""

from pathlib import Path

# Node, and the GPU type of its eight GPUs.
NODES = {"a100-1": "a100", "a100-2": "a100", "h100-1": "h100", "b200-1": "b200"}
GPUS_PER_NODE = 8

DATABASE = (
    "create database slurm_acct_db; create user slurm@'127.0.0.1' identified by 'lab'; create user slurm@localhost"
    " identified by 'lab'; grant all on slurm_acct_db.* to slurm@'127.0.0.1'; grant all on slurm_acct_db.* to"
    " slurm@localhost;"
)

# What sacctmgr is asked to add once.
ACCOUNTING = [
    ["add", "account", "hourglass", "Description=lab", "Organization=lab"],
    ["add", "qos", "low", "Priority=10", "PreemptMode=requeue"],
    ["add", "qos", "high", "Priority=1000", "Preempt=low,normal"],
    ["modify", "account", "hourglass", "set", "qos=normal,low,high", "defaultqos=normal"],
    ["add", "user", "nobody", "Account=hourglass", "DefaultAccount=hourglass"],
    ["add", "user", "root", "Account=hourglass", "DefaultAccount=hourglass"],
]

SLURM_CONF = """\
ClusterName=lab
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={controller}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={lab}/run/munge.socket
CredType=cred/munge
StateSaveLocation={lab}/state
SlurmdSpoolDir={lab}/spool/%n
SlurmctldPidFile={lab}/run/slurmctld.pid
SlurmdPidFile={lab}/run/slurmd-%n.pid
SlurmctldLogFile={lab}/log/slurmctld.log
SlurmdLogFile={lab}/log/slurmd-%n.log
SlurmctldDebug=info
SlurmdDebug=info
ReturnToService=2
MpiDefault=none
SwitchType=switch/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=5
SlurmdParameters=config_overrides
GresTypes=gpu
SlurmctldTimeout=30
SlurmdTimeout=10
InactiveLimit=0
MinJobAge=300
KillWait=2
OverTimeLimit=0
CompleteWait=0
MessageTimeout=10
TCPTimeout=2
PrologFlags=Alloc
SchedulerType=sched/backfill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=500
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=5,bf_interval=1,bf_continue,default_queue_depth=200
PriorityType=priority/multifactor
PriorityWeightQOS=1000000
PreemptType=preempt/qos
PreemptMode=REQUEUE
JobRequeue=1
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={accounting}
AccountingStoragePass={lab}/run/munge.socket
AccountingStorageTRES=gres/gpu,gres/gpu:a100,gres/gpu:h100,gres/gpu:b200
AccountingStorageEnforce=associations,limits,qos,safe
AccountingStoreFlags=job_comment
PriorityCalcPeriod=1
PriorityDecayHalfLife=0
PriorityUsageResetPeriod=NONE
EnforcePartLimits=ALL
{nodes}
PartitionName=a100 Nodes=a100-[1-2] Default=YES MaxTime=2-00:00:00 DefaultTime=00:10:00 State=UP
PartitionName=h100 Nodes=h100-1 MaxTime=2-00:00:00 DefaultTime=00:10:00 State=UP
PartitionName=b200 Nodes=b200-1 MaxTime=2-00:00:00 DefaultTime=00:10:00 State=UP
"""

SLURMDBD_CONF = """\
AuthType=auth/munge
AuthInfo=socket={lab}/run/munge.socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={accounting}
SlurmUser=root
DebugLevel=info
LogFile={lab}/log/slurmdbd.log
PidFile={lab}/run/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={database}
StorageUser=slurm
StoragePass=lab
StorageLoc=slurm_acct_db
"""


def write(lab: Path, *, controller: int, accounting: int, database: int, nodes: list[int]) -> None:
    node_lines = [
        f"NodeName={name} NodeHostname=localhost NodeAddr=127.0.0.1 Port={port} CPUs=16 RealMemory=64000"
        f" Gres=gpu:{gpu}:{GPUS_PER_NODE} Feature=nvlink State=UNKNOWN"
        for (name, gpu), port in zip(NODES.items(), nodes, strict=True)
    ]
    gres_lines = [
        f"NodeName={name} Name=gpu Type={gpu} File={lab}/dev/{gpu}-[0-{GPUS_PER_NODE - 1}]"
        for name, gpu in NODES.items()
    ]
    for gpu in set(NODES.values()):
        for number in range(GPUS_PER_NODE):
            (lab / "dev" / f"{gpu}-{number}").symlink_to("/dev/null")
    values = {"lab": lab, "controller": controller, "accounting": accounting, "database": database}
    etc = lab / "etc"
    (etc / "slurm.conf").write_text(SLURM_CONF.format(**values, nodes="\n".join(node_lines)))
    (etc / "gres.conf").write_text("\n".join(gres_lines) + "\n")
    (etc / "cgroup.conf").write_text("# Control groups are not used here.\n")
    (etc / "slurmdbd.conf").write_text(SLURMDBD_CONF.format(**values))
    (etc / "slurmdbd.conf").chmod(0o600)
