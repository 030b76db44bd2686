"""The same story on images: docker-compose.yml brought up whole, and only from the outside."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from testcontainers.compose import DockerCompose

from hazina_local.story import eventually
from hazina_local.story.play import tell
from hazina_local.story.world import visiting

pytestmark = [pytest.mark.compose, pytest.mark.xdist_group("compose"), pytest.mark.timeout(480)]

ROOT = Path(__file__).parents[1]
ENV = ROOT / ".env.example"
OURS = ("identity", "billing", "ledger", "crypto", "streaming")
ASK_S = 20
PROJECT = f"hazina-e2e-{os.getpid()}"


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def house() -> Iterator[DockerCompose]:
    """The whole house as containers, on free ports, with the passwords of .env.example."""
    if reason := _no_engine():
        pytest.skip(f"no container engine: {reason}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMPOSE_PROJECT_NAME", PROJECT)
        patch.setenv("HAZINA_PORT", "0")
        patch.setenv("JAEGER_PORT", "0")
        compose = DockerCompose(ROOT, env_file=str(ENV))
        try:
            _bring_up(compose)
            yield compose
        finally:
            compose.stop()


def _no_engine() -> str:
    if shutil.which("docker") is None:
        return "no docker command"
    for asked in (["docker", "info"], ["docker", "compose", "version"]):
        done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=ASK_S)
        if done.returncode:
            return (done.stderr.strip().splitlines() or [" ".join(asked)])[-1]
    return ""


def _bring_up(compose: DockerCompose) -> None:
    """Build the images and wait until all is healthy; show the last words of what failed."""
    for words in (["build", "--quiet"], ["up", "--wait"]):
        command = [*compose.compose_command_property, *words]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            logs, _ = compose.get_logs()
            pytest.fail(f"{' '.join(words)}: {done.stderr[-1500:]}\n{logs[-6000:]}")


def _url(house: DockerCompose) -> str:
    host, port = house.get_service_host_and_port("gateway", 8080)
    return f"http://{host}:{port}"


def _stripe_secret() -> str:
    lines = dict(line.split("=", 1) for line in ENV.read_text().splitlines() if "=" in line)
    return lines["STRIPE_WEBHOOK_SECRET"]


def _inside(house: DockerCompose, service: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a service's container."""
    command = [*house.compose_command_property, "exec", "-T", service, *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


class TestStory:
    @pytest.mark.anyio
    async def test_comes_true_on_images(self, house: DockerCompose) -> None:
        async def books() -> tuple[bool, str]:
            done = _inside(house, "ledger", "python", "-m", "ledger", "check", "--full")
            return done.returncode == 0, done.stdout + done.stderr

        async with visiting(_url(house), _stripe_secret()) as world:
            told = [step.chapter async for step in tell(world, books)]

        assert {chapter.split()[0] for chapter in told} >= {"1", "2", "3", "4", "7", "8"}


class TestImage:
    @pytest.mark.parametrize("service", OURS)
    def test_runs_as_nobody_who_can_write_nothing(self, house: DockerCompose, service: str) -> None:
        who = _inside(house, service, "id", "-u").stdout.strip()
        written = _inside(house, service, "touch", "/app/anything")

        assert who == "10001"
        assert "Read-only file system" in written.stderr

    @pytest.mark.parametrize("service", OURS)
    def test_knows_no_password_but_its_own(self, house: DockerCompose, service: str) -> None:
        told = _inside(house, service, "env").stdout

        others = [name for name in OURS if name != service]
        assert f"//{service}:dev-{service}@postgres" in told
        assert "dev-postgres" not in told
        assert "-owner" not in told
        assert not [name for name in others if f"dev-{name}@" in told]

    def test_holds_only_what_its_service_needs(self, house: DockerCompose) -> None:
        has_chain_code = _inside(house, "billing", "ls", "/app/services").stdout.split()
        has_test_tools = _inside(house, "billing", "python", "-c", "import pytest")

        assert has_chain_code == ["billing"]
        assert "ModuleNotFoundError" in has_test_tools.stderr


class TestGateway:
    @pytest.mark.anyio
    async def test_is_the_only_way_in(self, house: DockerCompose) -> None:
        published = {
            container.Service: [
                port.PublishedPort for port in container.Publishers or [] if port.PublishedPort
            ]
            for container in house.get_containers()
        }

        assert {name for name, ports in published.items() if ports} == {"gateway", "jaeger"}

    @pytest.mark.anyio
    async def test_says_503_while_a_service_is_gone_and_finds_it_again(
        self, house: DockerCompose
    ) -> None:
        async with httpx.AsyncClient(base_url=_url(house)) as http:

            async def status() -> int:
                return (await http.get("/billing/v1/plans")).status_code

            assert await status() == 200
            _compose(house, "stop", "-t", "30", "billing")
            gone = await http.get("/billing/v1/plans")
            _compose(house, "start", "billing")

            assert (gone.status_code, gone.json()["code"]) == (503, "service.unavailable")
            await eventually("billing again", status, lambda code: code == 200, within_s=60)


def _compose(house: DockerCompose, *words: str) -> None:
    command = [*house.compose_command_property, *words]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
