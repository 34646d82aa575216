# Runs while the node image is built: arranges programs and services as kind's node files expect them.
# shellcheck shell=sh

# The programs, where those files look for them.
ln -s /usr/bin/containerd /usr/bin/ctr /usr/bin/containerd-shim-runc-v2 /usr/local/bin/
mkdir -p /opt/cni/bin /etc/kubernetes/manifests
cp /usr/lib/cni/* /opt/cni/bin/
for name in kubeadm kubelet kubectl; do
  ln -s kubernetes "/usr/bin/$name"
done
kubelet --version | cut -d' ' -f2 >/kind/version

# Nothing is started but what a node needs. binfmt would change the machine's own kernel.
system=/lib/systemd/system
rm -f /etc/systemd/system/*.wants/* $system/multi-user.target.wants/* $system/local-fs.target.wants/* \
  $system/basic.target.wants/* $system/sockets.target.wants/*udev* $system/sockets.target.wants/*initctl* \
  $system/sysinit.target.wants/systemd-tmpfiles-setup.service
echo ReadKMsg=no >>/etc/systemd/journald.conf
systemctl enable kubelet.service containerd.service undo-mount-hacks.service
systemctl mask systemd-binfmt.service

# Pods get kind's product-file hook and no limits of their own, which an engine in a container may not raise.
ctr oci spec | jq '
  .hooks.createContainer += [{path: "/kind/bin/mount-product-files.sh"}]
  | del(.process.rlimits)' >/etc/containerd/cri-base.json
pause=$(kubeadm config images list --kubernetes-version "$(cat /kind/version)" 2>/dev/null | grep /pause:)
sed -i -e "s#sandbox_image = .*#sandbox_image = \"$pause\"#" \
  -e 's#restrict_oom_score_adj = false#restrict_oom_score_adj = true#' /etc/containerd/config.toml
