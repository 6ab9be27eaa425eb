# shellcheck shell=bash
# ./dev machine: the suites of isolation `process` on machines that this one is not. A virtual machine of qemu boots the
# distribution's kernel on this machine's own file system, which it cannot change: tools/machine/init and run.

readonly machine_folder=build/machine

# What each kind of machine is for; `run` in tools/machine makes them.
machine_kinds() {
  cat <<'LIST'
cgroup2|root, control groups v2 of the whole machine
delegated|root, in a service to which systemd delegates control groups v2
container|root, in a container's namespace of control groups
user|a user without rights: user namespaces
bare|a user whom namespaces are denied, no control groups: seccomp and Landlock
root-bare|root whom user namespaces are denied, no control groups
no-landlock|root with control groups v2, a kernel without Landlock
LIST
}

# What every virtual machine needs before it has its file system, in the order of loading.
readonly machine_modules=(virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci netfs fscache 9pnet
  9pnet_virtio 9p overlay failover net_failover virtio_net tun)

# A /dev/kvm that is there may still not work, in a virtual machine for one: it works when a kernel without a file system comes
# to its end.
machine_can_be_fast() {
  [ -n "${machine_speed:-}" ] || {
    machine_speed=slow
    if [ -r /dev/kvm ] && [ -w /dev/kvm ] &&
      timeout 20 qemu-system-x86_64 -enable-kvm -cpu host -machine q35 -m 512 -nodefaults -no-reboot -display none \
        -kernel "$machine_folder"/linux/boot/vmlinuz-* -append "panic=-1" </dev/null >"$machine_folder/kvm" 2>&1; then
      machine_speed=fast
    fi
  }
  [ "$machine_speed" = fast ]
}

# The kernel is downloaded and unpacked, not installed: that would make it the one that this machine boots.
unpack_kernel() {
  local package
  refresh_apt_for_kernel
  package=$(apt-cache depends linux-image-amd64 | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p' | head -n 1)
  [ -n "$package" ] || stop "apt knows no linux-image-amd64; ./dev machine needs a Debian 12 on x86-64"
  if [ "$(cat "$machine_folder/linux/ready" 2>/dev/null)" != "$package" ]; then
    note "unpacking $package into $machine_folder/linux"
    rm -rf "$machine_folder/linux"
    mkdir -p "$machine_folder/linux"
    (cd "$machine_folder/linux" && apt-get download -q -o APT::Sandbox::User="$(id -un)" "$package" >/dev/null) || return
    dpkg-deb -x "$machine_folder"/linux/*.deb "$machine_folder/linux" || return
    rm -f "$machine_folder"/linux/*.deb
    "$(busybox_program)" depmod -b "$machine_folder/linux" "${package#linux-image-}" || return
    echo "$package" >"$machine_folder/linux/ready"
  fi
}

refresh_apt_for_kernel() {
  if [ -z "$(apt-cache pkgnames linux-image-amd64 2>/dev/null)" ]; then
    require_root "fetching the package lists"
    refresh_apt
  fi
}

busybox_program() { command -v busybox || echo /bin/busybox; }

# The initial memory disk: busybox, the modules, what the machine is to do.
write_memory_disk() { # KIND SUITES [COMMAND]
  local disk=$machine_folder/disk module file
  rm -rf "$disk"
  mkdir -p "$disk/bin" "$disk/modules" "$disk/settings"
  cp "$(busybox_program)" "$disk/bin/busybox"
  cp tools/machine/init "$disk/init"
  ln -s busybox "$disk/bin/sh"
  for module in "${machine_modules[@]}"; do
    file=$(find "$machine_folder/linux/lib/modules" -name "$module.ko" | head -n 1)
    if [ -n "$file" ]; then # else it is a part of the kernel
      cp "$file" "$disk/modules/"
      echo "$module.ko" >>"$disk/modules/list"
    fi
  done
  echo "$PWD" >"$disk/settings/checkout"
  echo "$1" >"$disk/settings/kind"
  echo "$2" >"$disk/settings/suites"
  echo "${3:-}" >"$disk/settings/command"
  if machine_can_be_fast; then echo 1; else echo 10; fi >"$disk/settings/slowness"
  (cd "$disk" && find . | "$(busybox_program)" cpio -o -H newc 2>/dev/null | gzip -1) >"$machine_folder/disk.gz"
}

# boot_machine KIND SUITES [COMMAND]: what ctest says there is shown; its log is in build/machine/KIND.
boot_machine() {
  local kind=$1 results=$machine_folder/$1 append="console=ttyS0 quiet panic=-1 net.ifnames=0" speed=(-accel "tcg,thread=multi" -cpu max) patience=7200
  rm -rf "$results"
  mkdir -p "$results"
  write_memory_disk "$@"
  [ "$kind" != no-landlock ] || append+=" lsm=yama,integrity,apparmor,bpf"
  if machine_can_be_fast; then
    speed=(-enable-kvm -cpu host)
    patience=1800
  fi
  timeout --foreground "$patience" qemu-system-x86_64 "${speed[@]}" -machine q35 -smp 2 -m 4096 -nodefaults -no-reboot -display none \
    -serial "file:$results/console" -kernel "$machine_folder"/linux/boot/vmlinuz-* -initrd "$machine_folder/disk.gz" \
    -append "$append" -nic user,model=virtio-net-pci,restrict=on \
    -fsdev local,id=host,path=/,security_model=none,readonly=on,multidevs=remap \
    -device virtio-9p-pci,fsdev=host,mount_tag=host \
    -fsdev "local,id=results,path=$results,security_model=none" -device virtio-9p-pci,fsdev=results,mount_tag=results \
    </dev/null >"$results/qemu" 2>&1 || cat "$results/qemu"
}

# run_machine KIND SUITES: adds each case that ran there.
run_machine() {
  local kind=$1 tally start=$SECONDS
  boot_machine "$kind" "$2"
  if [ ! -e "$machine_folder/$kind/LastTest.log" ]; then
    tail -n 40 "$machine_folder/$kind/console" || true
  fi
  tally=$(python3 tools/dev/tally.py "$machine_folder/$kind/LastTest.log")
  echo "$kind: $tally ($((SECONDS - start)) s)"
  passed=$((passed + ${tally%% *}))
  tally=${tally#*, }
  if [ "${tally%% *}" != 0 ]; then
    grep -aE 'error: |FAILED|Failed|machine:' "$machine_folder/$kind/console" | head -n 60 || true
    note "all of it is in $machine_folder/$kind"
  fi
  failed=$((failed + ${tally%% *}))
}

suites_of_kind() {
  case $1 in
    cgroup2) echo 'sandbox|process|process_languages' ;;
    no-landlock) echo 'sandbox' ;;
    *) echo 'process|process_languages' ;;
  esac
}

# run_machines [KIND...]: all kinds without names.
run_machines() {
  local kind about wanted=" $* " known=" "
  while IFS='|' read -r kind about; do
    known+="$kind "
    if [ "$wanted" = "  " ] || [[ "$wanted" == *" $kind "* ]]; then
      say "Machine $kind: $about"
      run_machine "$kind" "$(suites_of_kind "$kind")"
    fi
  done < <(machine_kinds)
}

# For ./dev test --long: only where it takes minutes.
run_machines_if_fast() {
  say "Virtual machines"
  if [ ! -e /dev/kvm ] || [ "$(uname -m)" != x86_64 ]; then
    note "there is no /dev/kvm here; ./dev machine emulates the processor"
    return 0
  fi
  install_packages packages_for_machine
  unpack_kernel || return
  if machine_can_be_fast; then
    run_machines
  else
    note "/dev/kvm does not work here; ./dev machine emulates the processor"
  fi
}

dev_machine() { # [KIND...]
  local kind
  [ "$(uname -m)" = x86_64 ] || stop "./dev machine needs a processor of the kind x86-64"
  for kind in "$@"; do
    machine_kinds | grep -q "^$kind|" || stop "there is no machine '$kind'; there are: $(machine_kinds | sed 's/|.*//' | xargs)"
  done
  install_packages packages_for_machine
  set_up_node
  say "Building what runs there"
  if build_for_test release -DLAMBED_BUILD_TESTS=ON -- --target test_sandbox test_process test_process_languages; then
    unpack_kernel || return
    machine_can_be_fast || note "/dev/kvm cannot be used: the processor is emulated, which takes ten times as long"
    run_machines "$@"
  fi
  verdict
}
