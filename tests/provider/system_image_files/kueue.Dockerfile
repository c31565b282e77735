FROM scratch
COPY kueue /manager
USER 65532
