# Runs in a container of the node image: puts the images of the archive on stdin into containerd, under the names kubeadm asks for.
# shellcheck shell=sh
containerd >/tmp/containerd.log 2>&1 &
pid=$!
until ctr version >/dev/null 2>&1; do
  kill -0 $pid
  sleep 0.2
done

ctr -n k8s.io images import --no-unpack - >/dev/null
kubeadm config images list --kubernetes-version "$(cat /kind/version)" | while read -r name; do
  case $name in
    */etcd:*) from=etcd ;;
    */coredns:*) from=coredns ;;
    */pause:*) from=pause ;;
    *) from=kubernetes ;;
  esac
  ctr -n k8s.io images tag "docker.io/netproof-e2e/$from:latest" "$name"
done
ctr -n k8s.io images list -q | grep ^docker.io/netproof-e2e/ | xargs ctr -n k8s.io images rm >/dev/null

kill $pid
wait $pid || true
rm -rf /run/containerd /tmp/containerd.log
