package host

import (
	"context"
	"strings"

	"sextant/sdk/go/plugin"
	"sextant/sdk/go/ssh"
)

type keysIn struct {
	Address string          `sx:"address,required,from=path,expr=.address" title:"en=Address;zh=地址" doc:"Host, or host and port with a colon between." zh:"主机，或“主机:端口”。"`
	Port    int             `sx:"port,from=path,expr=.port" title:"en=Port;zh=端口" doc:"SSH port where the address has none; else 22." zh:"地址中没有端口时使用的 SSH 端口；不填则为 22。"`
	Timeout plugin.Duration `sx:"timeout,default=PT30S" title:"en=Time limit;zh=时限"`
}

type keysOut struct {
	Keys         string `sx:"keys,type=text" title:"en=Host keys;zh=主机密钥" doc:"Public keys of the host, one a line, as host_key takes them." zh:"主机的公钥，每行一个，可直接写入 host_key。"`
	Fingerprints string `sx:"fingerprints,type=text" title:"en=Fingerprints;zh=指纹" doc:"Kind and fingerprint of each key, one a line, to compare with what the host's console prints." zh:"各密钥的类型和指纹，每行一个，用于与主机控制台显示的内容核对。"`
	State        string `sx:"state,to=.state@observed" title:"en=State;zh=状态" doc:"State of the host: up, down or unknown." zh:"主机状态：up、down 或 unknown。"`
}

// scanKeys asks one host for its keys and pins nothing.
func (h *hosts) scanKeys(ctx context.Context, call *plugin.Call, in keysIn) (keysOut, error) {
	address, err := endpoint(in.Address, in.Port, sshPort)
	if err != nil {
		return keysOut{}, err
	}
	ctx, cancel := until(ctx, in.Timeout, "the question")
	defer cancel()
	keys, err := ssh.Scan(ctx, h.reach.target(call, address))
	if err != nil {
		return keysOut{State: stateAfter(err)}, outcome(ctx, err)
	}
	var lines, prints []string
	for _, k := range keys {
		lines, prints = append(lines, k.Line), append(prints, k.Kind+" "+k.Fingerprint)
	}
	return keysOut{Keys: strings.Join(lines, "\n"), Fingerprints: strings.Join(prints, "\n"), State: stateUp}, nil
}
