# syntax=docker/dockerfile:1

FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /signaling-server ./cmd/signaling-server

# The binary needs no other files: it contains its pages and its contract.
FROM scratch
COPY --from=build /signaling-server /signaling-server
USER 65532:65532
ENV NODE_ENV=production
EXPOSE 3002
HEALTHCHECK --interval=15s --timeout=5s --start-period=5s CMD ["/signaling-server", "healthcheck"]
ENTRYPOINT ["/signaling-server"]
