package host

import (
	"context"
	"strconv"
	"strings"

	"sextant/sdk/go/plugin"
	"sextant/sdk/go/ssh"
)

// factsScript prints one fact a line. It asks only for what every Linux has.
const factsScript = `echo "hostname=$(uname -n)"
os=$( (. /etc/os-release && echo "$PRETTY_NAME") 2>/dev/null)
echo "os=${os:-$(uname -s)}"
echo "kernel=$(uname -r)"
echo "arch=$(uname -m)"
echo "cpus=$(getconf _NPROCESSORS_ONLN 2>/dev/null || grep -c ^processor /proc/cpuinfo)"
while read -r k v _; do [ "$k" = MemTotal: ] && echo "memory_mb=$((v/1024))"; done </proc/meminfo
df -Pk / | { read -r _; read -r _ _ _ free _; echo "disk_free_mb=$((free/1024))"; }
read -r up _ </proc/uptime; echo "uptime_s=${up%.*}"
`

type factsIn struct {
	access
	Timeout plugin.Duration `sx:"timeout,default=PT1M" title:"en=Time limit;zh=时限"`
}

type factsOut struct {
	Hostname   string `sx:"hostname,to=.hostname" title:"en=Host name;zh=主机名"`
	OS         string `sx:"os,to=.os" title:"en=Operating system;zh=操作系统"`
	Kernel     string `sx:"kernel,to=.kernel" title:"en=Kernel;zh=内核"`
	Arch       string `sx:"arch,to=.arch" title:"en=Architecture;zh=架构"`
	CPUs       *int64 `sx:"cpus,to=.cpus" title:"en=CPUs;zh=CPU 数"`
	MemoryMB   *int64 `sx:"memory_mb,to=.memory_mb" title:"en=Memory (MB);zh=内存 (MB)"`
	DiskFreeMB *int64 `sx:"disk_free_mb" title:"en=Free disk (MB);zh=空闲磁盘 (MB)" doc:"Free space of the root file system." zh:"根文件系统的空闲空间。"`
	UptimeS    *int64 `sx:"uptime_s" title:"en=Up for (s);zh=已运行 (秒)" doc:"Seconds since the host started." zh:"主机启动以来的秒数。"`
	State      string `sx:"state,to=.state@observed" title:"en=State;zh=状态" doc:"State of the host: up, down or unknown." zh:"主机状态：up、down 或 unknown。"`
}

// collectFacts asks one host what it is.
func (h *hosts) collectFacts(ctx context.Context, call *plugin.Call, in factsIn) (factsOut, error) {
	to, cred, err := in.at(h.reach, call)
	if err != nil {
		return factsOut{}, err
	}
	ctx, cancel := until(ctx, in.Timeout, "the question")
	defer cancel()
	res, err := h.watch(call).run(ctx, to, cred, ssh.Command{Script: factsScript})
	if err != nil {
		return factsOut{State: stateAfter(err)}, outcome(ctx, err)
	}
	facts := map[string]string{}
	for line := range strings.Lines(res.Stdout) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			facts[k] = v
		}
	}
	number := func(key string) *int64 {
		n, err := strconv.ParseInt(facts[key], 10, 64)
		if err != nil {
			return nil // the host does not tell
		}
		return &n
	}
	out := factsOut{
		Hostname: facts["hostname"], OS: facts["os"], Kernel: facts["kernel"], Arch: facts["arch"], State: stateUp,
		CPUs: number("cpus"), MemoryMB: number("memory_mb"), DiskFreeMB: number("disk_free_mb"), UptimeS: number("uptime_s"),
	}
	if out.Hostname == "" {
		return out, plugin.Fail("host.facts", "the host does not tell what it is"+lastLine(res.Stderr))
	}
	return out, nil
}
