"""Who is in the demo world. Every person and organisation is invented."""

PASSWORD = "hourglass-demo"  # noqa: S105

DOMAIN = "hourglass.example"

# One sign-in for each role.
SIGN_INS = [
    ("researcher", f"rin@{DOMAIN}"),
    ("student", f"sam@{DOMAIN}"),
    ("institute lead", f"lea@{DOMAIN}"),
    ("department admin", f"ada@{DOMAIN}"),
    ("second admin", f"bea@{DOMAIN}"),
    ("auditor", f"aud@{DOMAIN}"),
    ("operator", f"oli@{DOMAIN}"),
]

NAMES = {
    "rin": "Rin Okafor",
    "sam": "Sam Lindqvist",
    "lea": "Lea Haddad",
    "ada": "Ada Moreau",
    "bea": "Bea Kowalski",
    "aud": "Aud Nilsen",
    "oli": "Oli Banerjee",
}

# Simulated traders, who place and cancel orders over HTTP as anyone would.
TRADERS = {
    "mika": "Mika Torres",
    "noor": "Noor Rahman",
    "yuki": "Yuki Brandt",
    "ines": "Ines Duarte",
    "tomo": "Tomo Varga",
    "kaya": "Kaya Osei",
}

DEPARTMENTS = [
    ("language-models", "Language Models", "Pre-training and evaluation of large language models."),
    ("protein-design", "Protein Design", "Structure prediction and generative design of proteins."),
    ("climate", "Climate Modelling", "Kilometre-scale weather and climate emulators."),
]

INSTITUTES = [
    (
        "northgate",
        "Northgate Institute of Technology",
        "language-models",
        "Teaches deep learning to second-year students, each with an allowance on real GPUs.",
    ),
    (
        "lakeside",
        "Lakeside University, School of Computing",
        "protein-design",
        "Runs a master's programme in scientific computing.",
    ),
]

COHORTS = [
    ("northgate", "Deep learning, winter", "A100", 20),
    ("northgate", "Systems for machine learning", "H100", 10),
    ("lakeside", "Scientific computing, first year", "A100", 15),
]


def email(name: str) -> str:
    return f"{name}@{DOMAIN}"
