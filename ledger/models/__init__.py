"""The ledger's tables, and what is always true of them."""

from ledger.models.governance import Allowance, Approval, Capacity, Correction, Policy, WalletKey
from ledger.models.holders import Account, Asset, Wallet
from ledger.models.holds import Hold, IdempotencyKey
from ledger.models.log import Checkpoint, Entry, Leaf, LogState, Posting, Tile, Transfer, TransferManager
from ledger.models.witnesses import Cosignature, WitnessState

# Compute is counted in GPU-seconds and credits in ten-thousandths: integers only, a float never touches value.
SECONDS_PER_GPU_HOUR = 3600
UNITS_PER_CREDIT = 10_000

__all__ = [
    "SECONDS_PER_GPU_HOUR",
    "UNITS_PER_CREDIT",
    "Account",
    "Allowance",
    "Approval",
    "Asset",
    "Capacity",
    "Checkpoint",
    "Correction",
    "Cosignature",
    "Entry",
    "Hold",
    "IdempotencyKey",
    "Leaf",
    "LogState",
    "Policy",
    "Posting",
    "Tile",
    "Transfer",
    "TransferManager",
    "Wallet",
    "WalletKey",
    "WitnessState",
]
