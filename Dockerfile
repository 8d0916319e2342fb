# syntax=docker/dockerfile:1
# Build:  docker build -t kortom .                                  models are mounted or pulled later
#         docker build -t kortom --build-arg MODELS="opus-mt-nl-en distilbart-cnn-12-6" .    inside it
#         docker build -t kortom --build-arg EXTRAS="postgresql ray" .       other extras than usual
# Run:    docker run --rm -v kortom-models:/models kortom models pull opus-mt-nl-en
#         docker run --rm -v kortom-models:/models kortom models pull distilbart-cnn-12-6
#         docker run --rm -v kortom-data:/data kortom keys create NAME
#         docker run --rm --stop-timeout 45 -p 127.0.0.1:8000:8000 \
#             -v kortom-models:/models -v kortom-data:/data kortom
# It listens on 0.0.0.0 inside, so requests need a key. More: docs/deployment.md.

FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# pip reads it: an index with CPU-only builds of torch makes the image some GB smaller.
ARG PIP_EXTRA_INDEX_URL
ARG EXTRAS="documents postgresql tracing web"
WORKDIR /src
RUN python -m venv /opt/kortom
# Dependencies first: they change seldom, and their layer is the large one.
COPY constraints.txt pyproject.toml ./
RUN python -c "import os, tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; print(*p['dependencies'], *[line for extra in os.environ['EXTRAS'].split() for line in p['optional-dependencies'][extra]], sep='\n')" > requirements.txt \
    && /opt/kortom/bin/pip install -c constraints.txt -r requirements.txt
COPY README.md LICENSE ./
COPY service ./service
COPY model_cards ./model_cards
RUN /opt/kortom/bin/pip install -c constraints.txt --no-deps .

FROM build AS models
ARG MODELS=""
ENV KORTOM_MODELS_DIR=/models
RUN mkdir -p /models && for model in ${MODELS}; do /opt/kortom/bin/kortom models pull "$model" || exit 1; done

FROM python:3.11-slim-bookworm
ENV PATH=/opt/kortom/bin:$PATH \
    KORTOM_DATABASE_URL=sqlite:////data/kortom.db \
    KORTOM_HOST=0.0.0.0 \
    KORTOM_MODELS_DIR=/models \
    PYTHONUNBUFFERED=1
RUN useradd --uid 10001 --create-home kortom \
    && install --directory --owner=10001 --group=10001 --mode=0700 /data
COPY --from=build /opt/kortom /opt/kortom
COPY --from=models --chown=10001:10001 /models /models
USER 10001:10001
# Jobs and keys outlive a container that was started without a volume.
VOLUME ["/data"]
EXPOSE 8000
STOPSIGNAL SIGTERM
# The port opens when the models are loaded and warm; before that the check fails.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
ENTRYPOINT ["kortom"]
CMD ["serve"]
