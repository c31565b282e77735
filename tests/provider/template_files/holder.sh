# Runs in the node's network namespace and a mount namespace of its own, and holds both open.
set -eu
# kubelet writes these sysctls, which are the whole machine's: give it copies to write to.
for name in kernel/panic kernel/panic_on_oops vm/overcommit_memory vm/panic_on_oom \
    kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
  mkdir -p "${state}/sysctl/$$(dirname $$name)"
  cat "/proc/sys/$$name" > "${state}/sysctl/$$name"
  mount --bind "${state}/sysctl/$$name" "/proc/sys/$$name"
done
# Paths that kubelet, containerd and the network plugins have compiled in.
for path in /var/lib/kubelet /var/lib/cni /var/log /run/containerd; do
  mkdir -p "$$path" "${state}/private$$path"
  mount --bind "${state}/private$$path" "$$path"
done
touch "${state}/held"
exec sleep infinity
