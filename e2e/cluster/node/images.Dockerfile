# The images that kubeadm asks for, each a target. The base is the nodes' Debian root, from which kube-proxy's nft is taken.
ARG BASE
FROM scratch AS pause
COPY pause /pause
ENTRYPOINT ["/pause"]

FROM scratch AS etcd
ENV PATH=/usr/local/bin
COPY etcd /usr/local/bin/etcd

FROM scratch AS coredns
COPY coredns /coredns
ENTRYPOINT ["/coredns"]

FROM $BASE AS nft
RUN mkdir -p /out/usr/local/bin /out/tmp \
    && cp --parents -L /usr/sbin/nft $(ldd /usr/sbin/nft | grep -o '/[^ ]*') /out/ \
    && for name in kube-apiserver kube-controller-manager kube-scheduler kube-proxy; do \
         ln -s kubernetes /out/usr/local/bin/$name; \
       done

# One image under four tags: control plane and kube-proxy are one binary. It goes by the mode nftables, so nft is enough.
FROM scratch AS kubernetes
ENV PATH=/usr/local/bin:/usr/sbin
COPY --from=nft /out/ /
COPY kubernetes /usr/local/bin/kubernetes
