# facepipe in a container: docs/image.md has the commands. Nothing here needs more than `docker build`; buildah and
# podman read it too, with --format docker, because the health check is no part of an OCI image.

# By tag, so that each build has Debian's security updates. To fix it: --build-arg BASE=debian@sha256:...
ARG BASE=debian:bookworm-slim

# What is installed, in a virtual environment that the last stage copies: pip and the sources stay behind.
FROM ${BASE} AS packages
# Beside what everybody needs: mqtt and serve. Others of pyproject.toml: --build-arg EXTRAS='mqtt serve onnx tables'
ARG EXTRAS="mqtt serve"
# As pip knows them, for a package index of your own: --build-arg PIP_INDEX_URL=https://...
ARG PIP_INDEX_URL
ARG PIP_CERT
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends ca-certificates python3 python3-venv
WORKDIR /build
COPY constraints.txt pyproject.toml ./
# OpenCV without windows: nothing of X is needed. It has the version of the one that the constraints name.
RUN sed --in-place 's/^opencv-python==/opencv-python-headless==/' constraints.txt \
    && python3 -m venv tools && python3 -m venv --without-pip /opt/facepipe \
    && tools/bin/python -m pip install --quiet --constraint constraints.txt pip hatchling \
    && python3 -c 'import sys, tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
print(*(d.replace("opencv-python", "opencv-python-headless") for d in project["dependencies"]), \
*(d for extra in sys.argv[1:] for d in project["optional-dependencies"][extra]), sep="\n")' ${EXTRAS} >requirements.txt \
    && tools/bin/python -m pip --python /opt/facepipe/bin/python install --quiet --only-binary :all: \
        --constraint constraints.txt --requirement requirements.txt

# facepipe itself in a folder of its own, to be a layer of its own: a new version fetches that one alone.
FROM packages AS program
COPY . .
RUN tools/bin/python -m hatchling build -t wheel -d wheel \
    && tools/bin/python -m pip --python /opt/facepipe/bin/python install --quiet --no-deps --prefix /program wheel/*.whl

FROM ${BASE}
# tini ends what a killed stage leaves behind, which is the duty of the first process of a container.
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends ca-certificates python3 tini tzdata \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/cache/debconf /var/log/apt /var/log/dpkg.log \
    && groupadd --gid 10001 facepipe \
    && useradd --uid 10001 --gid facepipe --home-dir /data --no-create-home --shell /usr/sbin/nologin facepipe \
    && install --directory --owner facepipe --group facepipe /data
COPY --from=packages /opt/facepipe /opt/facepipe
COPY --from=program /program /opt/facepipe
# Written are /data, the volume with the results, and /tmp, with the sockets: the rest can be read-only.
ENV PATH=/opt/facepipe/bin:$PATH HOME=/data TMPDIR=/tmp XDG_RUNTIME_DIR=/tmp \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /data
VOLUME /data
# By number, so that Kubernetes can tell that it is not root.
USER 10001:10001
ENTRYPOINT ["tini", "--", "facepipe"]
# Asks the metrics of the run, which `--metrics 9109` serves.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["facepipe", "health"]
LABEL org.opencontainers.image.title="facepipe" \
    org.opencontainers.image.description="Live face analysis; the included weights are for research only" \
    org.opencontainers.image.licenses="MIT AND LicenseRef-weights-for-research-only"
