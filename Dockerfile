# speechgmm with a report and the demo, for commands and workers of a cluster:
#   docker build -t speechgmm . && docker run --rm -v "$PWD:/work" speechgmm demo --out demo
FROM python:3.13-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY speechgmm speechgmm
COPY configs configs
RUN python -m venv /opt/speechgmm \
 && /opt/speechgmm/bin/python -m pip install --no-cache-dir --only-binary numpy,scipy,numba,llvmlite,soundfile,soxr \
    --constraint constraints.txt '.[demo,cluster]'

FROM python:3.13-slim
COPY --from=build /opt/speechgmm /opt/speechgmm
# Compiled code and features are kept below the working folder, which whoever runs the container may write.
ENV PATH=/opt/speechgmm/bin:$PATH SPEECHGMM_CACHE=/work/.cache/speechgmm NUMBA_CACHE_DIR=/work/.cache/numba
WORKDIR /work
ENTRYPOINT ["speechgmm"]
