"""AWS's own clients against `lambed serve`: the AWS CLI, boto3 and @aws-sdk/client-lambda, each through a whole story.

clients_test.py --program PATH --scratch FOLDER
They are installed from the configured registries into FOLDER. Ends with the line that tools/dev/tally.py counts.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import unittest
import venv
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "packages"))
import cases  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("--program", type=Path, required=True)
parser.add_argument("--scratch", type=Path, required=True)
options, rest = parser.parse_known_args()

# Nothing of the caller's own AWS settings may come in; a proxy must not stand between.
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("AWS_") and "proxy" not in k.lower()}
STORY = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_REGION": "eu-central-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_MAX_ATTEMPTS": "1",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "NO_PROXY": "127.0.0.1",
    "PYTHONDONTWRITEBYTECODE": "1",
}


NETWORKS = {
    "Vpcs": [
        {
            "VpcId": "vpc-a",
            "Subnets": [{"SubnetId": "subnet-a", "CidrBlock": "10.123.7.0/24"}],
            "SecurityGroups": [{"GroupId": "sg-a"}],
        }
    ]
}


class Server:
    def __init__(self, data: Path, isolation: str) -> None:
        self.log = (data.parent / f"{data.name}.log").open("w+b")
        more = []
        if isolation == "process":  # elsewhere functions have no network of their own
            networks = data.parent / "networks.json"
            networks.write_text(json.dumps(NETWORKS))
            more = ["--networks", networks]
        self.process = subprocess.Popen(
            [options.program, "serve", "--listen", "127.0.0.1:0", "--data", data, "--isolation", isolation, *more],
            stderr=self.log,
            env=ENVIRONMENT,
        )
        end = time.monotonic() + 60
        while b"serves the Lambda API at " not in self.text() or not self.text().endswith(b"/invocations\n"):
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(self.text().decode())
            time.sleep(0.02)
        self.url = self.text().split(b"serves the Lambda API at ")[1].split()[0].decode()

    def text(self) -> bytes:
        return Path(self.log.name).read_bytes()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        self.log.close()
        return code


class Story(unittest.TestCase):
    """Each client has a server of its own, ended properly afterwards."""

    isolation = "in_process"

    def setUp(self) -> None:
        self.folder = options.scratch / f"{self.id().split('.')[-1]}-{self.isolation}"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.server = Server(self.folder / "data", self.isolation)

    def tearDown(self) -> None:
        self.assertEqual(self.server.stop(), 0)

    def tell(self, *command: object) -> None:
        where = {"LAMBED_URL": self.server.url, "AWS_ENDPOINT_URL": self.server.url, "LAMBED_ISOLATION": self.isolation}
        environment = ENVIRONMENT | STORY | where
        path = f"{options.scratch / 'venv' / 'bin'}:{ENVIRONMENT['PATH']}"
        run = subprocess.run(
            [str(word) for word in command], cwd=self.folder, env=environment | {"PATH": path}, timeout=300,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )
        log = self.server.text().decode(errors="replace")[-4000:]
        self.assertEqual(run.returncode, 0, f"{run.stdout[-6000:]}\n--- the server:\n{log}")

    def test_boto3(self) -> None:
        self.tell(options.scratch / "venv/bin/python", HERE / "boto3_story.py")

    def test_aws_cli(self) -> None:
        self.tell("bash", "-euo", "pipefail", HERE / "cli_story.sh")

    @unittest.skipUnless(shutil.which("npm"), "npm is not installed")
    def test_sdk_for_javascript(self) -> None:
        story = options.scratch / "node" / "sdk_story.mjs"
        shutil.copy(HERE / "sdk_story.mjs", story)
        self.tell("node", story)


class StoryOfWorkers(Story):
    """The same, where functions run in sandboxed processes."""

    isolation = "process"


def install() -> None:
    """As their users do."""
    python = options.scratch / "venv/bin/python"
    venv.create(options.scratch / "venv", with_pip=True, clear=True)
    subprocess.run(
        [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-input", "boto3", "awscli"], check=True
    )
    if shutil.which("npm"):
        folder = options.scratch / "node"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "package.json").write_text('{"private": true, "type": "module"}\n')
        # The newest that still supports this node: 18 is Debian 12's, and was given up in January 2026.
        version = subprocess.run(["node", "--version"], check=True, capture_output=True, text=True).stdout
        newest = "@<3.940" if int(version.lstrip("v").split(".")[0]) < 20 else ""
        packages = [f"@aws-sdk/client-{service}{newest}" for service in ("lambda", "iam", "sts")]
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent", *packages], cwd=folder, check=True)


if __name__ == "__main__":
    options.scratch.mkdir(parents=True, exist_ok=True)
    install()
    cases.main()
