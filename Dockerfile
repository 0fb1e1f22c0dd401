# The image is the static binary and nothing else: no shell, no libraries, no certificates of others. `make image` builds the
# binary and then this. It writes nowhere and needs no user of its own, so a read-only root and any numeric user fit.
FROM scratch
ARG TARGETARCH
COPY dist/${TARGETARCH}/cni-steward /cni-steward
USER 65532:65532
ENTRYPOINT ["/cni-steward"]
CMD ["serve"]
