"""How long `hazina up` takes on an empty data folder until every service answers at the gateway."""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from benchmarks.report import Bar, tell
from hazina.embedded import free_port

BAR = Bar("cold_start", "s", target=5, lower_is_better=True)
ROUNDS = 3
SERVICES = ("identity", "billing", "ledger", "crypto", "streaming")
PATIENCE_S = 60
HAZINA = Path(sys.executable).with_name("hazina")


def answers(url: str) -> bool:
    """Tell whether a GET is answered with 200."""
    try:
        with urlopen(url, timeout=1) as answer:  # noqa: S310  our own gateway
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def start(data: str) -> dict[str, float]:
    """Start a house from nothing; give when the gateway answered for all, and the command's end."""
    port = free_port()
    waiting = {f"http://127.0.0.1:{port}/{name}/v1/openapi.json" for name in SERVICES}
    began = time.perf_counter()
    command = [str(HAZINA), "up", "--detach", "--port", str(port), "--data", data]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as up:
        while waiting and time.perf_counter() - began < PATIENCE_S:
            waiting = {url for url in waiting if not answers(url)}
            time.sleep(0.02)
        answered = time.perf_counter() - began
        if up.wait(PATIENCE_S) or waiting:
            raise SystemExit(f"never answered: {sorted(waiting)}")
    return {"all answer s": answered, "up returned s": time.perf_counter() - began}


def main() -> None:
    """Start and end a house some times, each in a new folder."""
    rounds = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as data:
            try:
                rounds.append(start(data))
            finally:
                subprocess.run([HAZINA, "down", "--data", data], check=False, capture_output=True)
    tell(
        BAR,
        statistics.median(row["all answer s"] for row in rounds),
        baseline={"services": len(SERVICES), "data folder": "empty"},
        rounds=rounds,
    )


if __name__ == "__main__":
    main()
