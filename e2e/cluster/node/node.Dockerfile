# A kind node: Debian, kind's own node files, and the Kubernetes programs. The images are preloaded afterwards.
ARG BASE
FROM $BASE
COPY files/ /
COPY setup.sh /tmp/setup.sh
RUN sh -eu /tmp/setup.sh && rm /tmp/setup.sh
ENV container=docker
STOPSIGNAL SIGRTMIN+3
ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]
