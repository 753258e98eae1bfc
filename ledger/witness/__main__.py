"""python -m ledger.witness CONFIG           cosign, until it is told to stop; SIGHUP reads the logs' keys again
python -m ledger.witness --new-key FILE NAME    make a key and print its public half
python -m ledger.witness --keys CONFIG          print the public keys
"""

import logging
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from ledger.proof.keys import load_keys, make_key
from ledger.proof.notes import Cosigner, is_key_name
from ledger.witness.config import Config, ConfigRefused, read_config
from ledger.witness.cosigning import Witness
from ledger.witness.server import WitnessServer
from ledger.witness.state import State

log = logging.getLogger("witness")


def main(arguments: list[str]) -> int:
    try:
        match arguments:
            case ["--new-key", file, name] if is_key_name(name):
                make_key(Path(file))
                print(Cosigner(name, load_keys(Path(file))[0]).verifier)  # noqa: T201
            case ["--keys", config]:
                for cosigner in read_config(Path(config)).cosigners:
                    print(cosigner.verifier)  # noqa: T201
            case [config] if not config.startswith("-"):
                serve(Path(config), read_config(Path(config)))
            case _:
                print(__doc__, file=sys.stderr)  # noqa: T201
                return 2
    except (ConfigRefused, OSError) as error:
        print(f"The witness does not start: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def serve(path: Path, config: Config) -> None:
    """Answer requests until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    state = State(config.state)
    witness = Witness(config.cosigners, config.logs, state)
    server = WitnessServer((config.host, config.port), witness)

    def stop(_number: int, _frame: FrameType | None) -> None:
        # Shutting down waits for the loop below, which a handler of its own thread would never return to.
        threading.Thread(target=server.shutdown).start()

    def read_again(_number: int, _frame: FrameType | None) -> None:
        try:
            witness.logs = read_config(path).logs
        except ConfigRefused as error:
            log.error("the configuration is kept as it was: %s", error)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGHUP, read_again)
    log.info("listening on %s:%s for %s", config.host, server.server_port, ", ".join(witness.logs))
    with server:
        server.serve_forever(poll_interval=0.1)
    state.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
