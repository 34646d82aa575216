# Runs in a node: fence, then routes, then the network plugin's configuration, so that no pod is ever without the fence.
# Wants $inside (where packets may go), $pod_net and $routes (lines of node, pod range, address).
# shellcheck shell=bash disable=SC2154

mkdir -p /etc/netproof
cat >/etc/netproof/network.nft <<NFT
table inet netproof_fence
delete table inet netproof_fence
table inet netproof_fence {
  chain leaving {
    oifname "lo" accept
    ip daddr { 127.0.0.0/8, $inside } accept
    reject with icmpx type admin-prohibited
  }
  chain forward {
    type filter hook forward priority filter - 10; policy accept;
    jump leaving
  }
  chain output {
    type filter hook output priority filter - 10; policy accept;
    jump leaving
  }
}
table ip netproof_nat
delete table ip netproof_nat
table ip netproof_nat {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr $pod_net ip daddr != $pod_net masquerade
  }
}
NFT
nft -f /etc/netproof/network.nft

range=
: >/etc/netproof/routes
while read -r name pods address; do
  if [[ $name == "$HOSTNAME" ]]; then
    range=$pods
  else
    echo "route replace $pods via $address" >>/etc/netproof/routes
  fi
done <<<"$routes"
ip -batch /etc/netproof/routes

# A node that restarts has its fence before its first pod.
cat >/etc/systemd/system/netproof-network.service <<UNIT
[Unit]
Description=Fence, masquerading and routes of the netproof cluster
Before=containerd.service kubelet.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f /etc/netproof/network.nft
ExecStart=-/usr/sbin/ip -batch /etc/netproof/routes

[Install]
RequiredBy=containerd.service
UNIT
systemctl enable -q netproof-network.service

# Pairs on one node are routed too (ptp, no bridge), so they pass the node's forward hook as others do.
# Renamed inside its folder: containerd 1.6 overlooks a file that arrives from elsewhere.
mkdir -p /etc/cni/net.d
cat >/etc/cni/net.d/netproof.new <<CNI
{
  "cniVersion": "0.3.1",
  "name": "netproof",
  "plugins": [
    {
      "type": "ptp",
      "ipMasq": false,
      "mtu": $(</sys/class/net/eth0/mtu),
      "ipam": {
        "type": "host-local",
        "dataDir": "/run/netproof-addresses",
        "routes": [{"dst": "0.0.0.0/0"}],
        "ranges": [[{"subnet": "$range"}]]
      }
    },
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
CNI
mv /etc/cni/net.d/netproof.new /etc/cni/net.d/10-netproof.conflist
