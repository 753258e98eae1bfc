"""Why a code does not let somebody in; each says which."""

from ledger.errors import Refusal


class UnknownCode(Refusal):
    code = "join_code_unknown"


class CodeExpired(Refusal):
    code = "join_code_expired"


class CodeUsedUp(Refusal):
    code = "join_code_used_up"


class CodeRevoked(Refusal):
    code = "join_code_revoked"


class CohortEnded(Refusal):
    code = "cohort_ended"


class NotForThisRole(Refusal):
    """Join codes are for students."""

    code = "not_for_this_role"


class AlreadyEnrolled(Refusal):
    code = "already_enrolled"


class InstituteShort(Refusal):
    """The institute's wallet does not cover another allowance."""

    code = "institute_short"
