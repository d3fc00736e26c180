# syntax=docker/dockerfile:1

FROM golang:1.26 AS build
# An image that was pulled long ago has an older Go than go.mod demands, and fetches no
# other by itself.
ENV GOTOOLCHAIN=auto
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# The commit that -version prints: --build-arg COMMIT=$(git rev-parse HEAD). CapRover names
# it by itself.
ARG CAPROVER_GIT_COMMIT_SHA
ARG COMMIT=$CAPROVER_GIT_COMMIT_SHA
RUN make dist PLATFORMS=linux/$(go env GOARCH) COMMIT=$COMMIT && mv dist/signaling-server-linux-$(go env GOARCH) /signaling-server

RUN mkdir /acme /state

# The binary contains its pages and its contract. Beside it there are the licences, the
# certificates of authorities, for ACCESS_JWKS_URL and ACME_DOMAINS, and two folders: for
# the certificates of ACME_DOMAINS, and for STATE_FILE and WEBHOOK_DIR.
FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/dist/LICENSES.md /LICENSES.md
COPY --from=build --chown=65532:65532 /acme /acme
COPY --from=build --chown=65532:65532 /state /state
COPY --from=build /signaling-server /signaling-server
USER 65532:65532
VOLUME /acme
ENV ACME_CACHE=/acme
ENV NODE_ENV=production
EXPOSE 3002
HEALTHCHECK --interval=15s --timeout=5s --start-period=5s CMD ["/signaling-server", "healthcheck"]
ENTRYPOINT ["/signaling-server"]
