# syntax=docker/dockerfile:1

FROM golang:1.26 AS build
# An image that was pulled long ago has an older Go than go.mod demands, and fetches no
# other by itself.
ENV GOTOOLCHAIN=auto
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# The commit that -version prints: --build-arg COMMIT=$(git rev-parse HEAD).
ARG COMMIT
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w -X signaling-server/internal/version.commit=$COMMIT" -o /signaling-server ./cmd/signaling-server

RUN mkdir /acme

# The binary contains its pages and its contract. Beside it there are the certificates of
# authorities, for ACCESS_JWKS_URL and ACME_DOMAINS, and a folder for the certificates
# of ACME_DOMAINS.
FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build --chown=65532:65532 /acme /acme
COPY --from=build /signaling-server /signaling-server
USER 65532:65532
VOLUME /acme
ENV ACME_CACHE=/acme
ENV NODE_ENV=production
EXPOSE 3002
HEALTHCHECK --interval=15s --timeout=5s --start-period=5s CMD ["/signaling-server", "healthcheck"]
ENTRYPOINT ["/signaling-server"]
