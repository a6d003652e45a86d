"""Builds the image of the Dockerfile and runs it, where there is neither Docker nor a container registry.

buildah builds it with chroot isolation, which needs no daemon, on a base that debootstrap makes as Debian makes its own
`bookworm-slim`. crun, an OCI runtime, runs it as Kubernetes would with the strictest settings: read-only root, no
capability, no new privileges, a number as user, and here without network. Needs root, and the registries of Debian and
Python.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stages.project import PROJECT

TOOLS = ("buildah", "crun", "debootstrap", "unshare")
DEBIAN = "http://deb.debian.org/debian"
BASE, IMAGE = "localhost/bookworm-slim", "localhost/facepipe"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")  # this machine's, for a package index that it alone trusts
WRITABLE = Path("/data")
# What Debian leaves out of its slim images, as they state it themselves; licences stay.
SLIM = """\
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
"""
# crun 1.8 refuses to start where cgroups of both versions are mounted, so it is shown those of version 2 alone.
PLAIN_CGROUPS = 'umount --recursive --lazy /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && exec "$@"'


@dataclass(frozen=True, slots=True)
class Image:
    """A built image."""

    root: Path  # its files, mounted
    settings: dict  # Env, User, Entrypoint, Healthcheck, Labels, ... as Docker names them
    layers_mb: tuple[float, ...]  # compressed, as a registry sends them, the base first


@contextmanager
def built(folder: Path) -> Iterator[Image]:
    """The image of this checkout, built in `folder`, in which nothing of it is left afterwards."""

    def buildah(*words: str | Path) -> str:
        places = ("--root", folder / "storage", "--runroot", folder / "run", "--storage-driver", "overlay")
        return _do("buildah", *places, *words)

    certificates = ("--volume", f"{CERTIFICATES.parent}:/mnt:ro", "--build-arg", f"PIP_CERT=/mnt/{CERTIFICATES.name}")
    try:
        _make_base(folder / "base")
        build = ("build", "--isolation", "chroot", "--pull-never", "--format", "docker", "--layers")
        buildah(*build, "--tag", BASE, folder / "base")
        shutil.rmtree(folder / "base")
        registry = certificates if CERTIFICATES.exists() else ()
        buildah(*build, "--build-arg", f"BASE={BASE}", *registry, "--tag", IMAGE, PROJECT)
        container = buildah("from", "--pull-never", IMAGE).strip()
        settings = json.loads(buildah("inspect", "--type", "image", IMAGE))["Docker"]["config"]
        buildah("push", "--quiet", IMAGE, f"oci:{folder / 'pushed'}")
        yield Image(Path(buildah("mount", container).strip()), settings, _layers_mb(folder / "pushed"))
    finally:
        buildah("umount", "--all")
        buildah("rm", "--all")
        buildah("rmi", "--all", "--force")


class Container:
    """A container of an image, with a volume at /data; every command of it is given as words after `facepipe`."""

    def __init__(self, image: Image, folder: Path, words: tuple[str, ...]):
        """`folder` gets the description of the container, and `folder/volume` is the volume."""
        self.name = f"facepipe-{uuid.uuid4().hex[:8]}"
        self._folder, self._settings = folder, image.settings
        user = int(image.settings["User"].partition(":")[0])
        self.volume = folder / "volume"
        self.volume.mkdir(exist_ok=True)
        shutil.chown(self.volume, user, user)
        (folder / "config.json").unlink(missing_ok=True)
        _do("crun", "spec", cwd=folder)
        described = json.loads((folder / "config.json").read_text())
        described["root"] = {"path": str(image.root), "readonly": True}
        described["process"] |= {
            "terminal": False,
            "user": {"uid": user, "gid": user},
            "args": [*image.settings["Entrypoint"], *words],
            "env": image.settings["Env"],
            "cwd": image.settings["WorkingDir"],
            "capabilities": {},
            "noNewPrivileges": True,
        }
        described["mounts"] = [mount for mount in described["mounts"] if mount["destination"] != "/sys/fs/cgroup"]
        described["mounts"] += [
            {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", "mode=1777"]},
            {"destination": str(WRITABLE), "type": "bind", "source": str(self.volume), "options": ["bind", "rw"]},
        ]
        kinds = ("pid", "ipc", "uts", "mount", "network")
        described["linux"] |= {"namespaces": [{"type": kind} for kind in kinds], "resources": {}}
        (folder / "config.json").write_text(json.dumps(described))

    def run(self) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return subprocess.run(
            self._crun("run", "--bundle", self._folder, self.name), capture_output=True, text=True, timeout=100
        )

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[str]]:
        """It as a process, which is killed if it still runs afterwards."""
        words = self._crun("run", "--bundle", self._folder, self.name)
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            yield process
        finally:
            if process.poll() is None:
                self.signal("KILL")
            process.communicate(timeout=30)

    def signal(self, name: str) -> None:
        """Send a signal to its first process, as `docker stop` does."""
        subprocess.run(self._crun("kill", self.name, name), check=True, capture_output=True)

    def exec(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Another command in it while it runs, as `docker exec`."""
        return subprocess.run(self._crun("exec", self.name, *command), capture_output=True, text=True, timeout=60)

    def is_healthy(self) -> bool:
        """What the image's health check says."""
        kind, *command = self._settings["Healthcheck"]["Test"]
        assert kind == "CMD"  # and no shell
        return self.exec(*command).returncode == 0

    def _crun(self, *words: str | Path) -> list[str]:
        crun = ["crun", "--root", str(self._folder / "crun"), "--cgroup-manager", "disabled", *map(str, words)]
        return ["unshare", "--mount", "sh", "-c", PLAIN_CGROUPS, "sh", *crun]


def _make_base(folder: Path) -> None:
    """A folder to build the base image from."""
    root = folder / "root"
    _do("debootstrap", "--variant=minbase", "bookworm", root, DEBIAN)
    (root / "etc/dpkg/dpkg.cfg.d/slim").write_text(SLIM)
    for name in ("usr/share/info", "usr/share/locale", "usr/share/man", "var/cache/apt", "var/lib/apt/lists"):
        shutil.rmtree(root / name, ignore_errors=True)
        (root / name).mkdir()
    for path in (root / "usr/share/doc").glob("*/*"):
        if path.name != "copyright":
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY root /\n")


def _layers_mb(pushed: Path) -> tuple[float, ...]:
    """The sizes of the layers in a folder with the layout of OCI images."""

    def blob(descriptor: dict) -> dict:
        return json.loads((pushed / "blobs" / descriptor["digest"].replace(":", "/")).read_text())

    [manifest] = json.loads((pushed / "index.json").read_text())["manifests"]
    return tuple(layer["size"] / 1e6 for layer in blob(manifest)["layers"])


def _do(*words: str | Path, cwd: Path | None = None) -> str:
    ran = subprocess.run([str(word) for word in words], cwd=cwd, capture_output=True, text=True)
    assert ran.returncode == 0, f"{' '.join(map(str, words))}: {ran.stdout[-2000:]}{ran.stderr[-2000:]}"
    return ran.stdout
