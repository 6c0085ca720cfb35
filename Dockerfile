# dalif-deploy with Lava. torch brings its CUDA libraries: 6 to 7 GB.
#
#   docker build -t dalif-deploy .
#   docker run --rm --shm-size 1g -v "$PWD:/work" dalif-deploy export model.pt --target lava -o exported
#
# Lava's processes hand their data over in shared memory, of which docker gives 64 MB by default: --shm-size.

FROM python:3.13-slim-bookworm AS build
WORKDIR /source
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /packages .

FROM python:3.13-slim-bookworm
COPY --from=build /packages /packages
# above Python 3.10 Lava's own metadata refuses: see Makefile
RUN pip install --no-cache-dir "dalif-deploy[lava] @ file://$(ls /packages/*.whl)" \
    && pip install --no-cache-dir --no-deps --ignore-requires-python lava-nc==0.10.0 \
    && useradd --create-home --uid 1000 user
USER 1000
WORKDIR /work
ENTRYPOINT ["python", "-m", "dalif_deploy"]
