#!/usr/bin/env bash
# Two machines in one, for Open MPI 5: network namespaces `one` and `two`, joined by a virtual cable of a given rate, each
# with a host name of its own. As root, on Linux with `ip` and `tc`:
#
#   bench/two-machines.sh 1gbit /path/of/mpirun node src/cli/main.ts train --steps 30 --batch-size 256 --out runs/two-machines
#
# The rate `none` leaves the cable as fast as it is. Everything is taken down in the end.
set -eu
rate=$1 mpirun=$2
shift 2

agent=$(mktemp)
hosts=$(mktemp)
clean() {
  ip netns del one 2> /dev/null || true
  ip netns del two 2> /dev/null || true
  rm -f "$agent" "$hosts"
}
trap clean EXIT

ip netns add one
ip netns add two
ip link add cable1 netns one type veth peer name cable2 netns two
for n in 1 2; do
  name=$([ "$n" = 1 ] && echo one || echo two)
  ip -n "$name" addr add "10.77.0.$n/24" dev "cable$n"
  ip -n "$name" link set "cable$n" up
  ip -n "$name" link set lo up
  [ "$rate" = none ] || ip netns exec "$name" tc qdisc add dev "cable$n" root tbf rate "$rate" burst 256kb latency 50ms
done

# What mpirun takes for ssh: its first word is the address, the rest is for a shell there.
cat > "$agent" << 'EOF'
#!/bin/sh
shift
exec ip netns exec two unshare --uts sh -c "hostname two; $*"
EOF
chmod +x "$agent"
printf '10.77.0.1 slots=1\n10.77.0.2 slots=1\n' > "$hosts"

export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_btl=tcp,self OMPI_MCA_pml=ob1 OMPI_MCA_btl_tcp_if_include=10.77.0.0/24
ip netns exec one unshare --uts sh -c 'hostname one; exec "$@"' sh \
  "$mpirun" --prtemca plm_ssh_agent "$agent" --prtemca prte_if_include 10.77.0.0/24 --hostfile "$hosts" \
  -n 2 --map-by node --bind-to none -x OMPI_MCA_btl -x OMPI_MCA_pml -x OMPI_MCA_btl_tcp_if_include "$@"
