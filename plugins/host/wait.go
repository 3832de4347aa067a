package host

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"sextant/sdk/go/plugin"
)

const (
	probeTimeout = 10 * time.Second
	minInterval  = 100 * time.Millisecond
	maxBody      = 1 << 20 // bytes of an answer that are looked at
	maxHeader    = 64 << 10
	stateClosed  = "closed"
)

type portIn struct {
	Address  string          `sx:"address,required,from=path,expr=.address" title:"en=Address;zh=地址" doc:"Host; a port in it is used where port is not given." zh:"主机；未填端口时使用其中的端口。"`
	Port     int             `sx:"port" title:"en=Port;zh=端口" doc:"TCP port to wait for." zh:"等待的 TCP 端口。"`
	Timeout  plugin.Duration `sx:"timeout,default=PT5M" title:"en=Time limit;zh=时限"`
	Interval plugin.Duration `sx:"interval,default=PT2S" title:"en=Between attempts;zh=尝试间隔" doc:"Time between attempts." zh:"两次尝试的间隔。"`
}

type portOut struct {
	State    string `sx:"state" title:"en=State;zh=状态" doc:"up, or closed where the port took no connection." zh:"端口可连接时为 up，否则为 closed。"`
	WaitedMS int64  `sx:"waited_ms" title:"en=Waited (ms);zh=等待 (毫秒)"`
}

type httpIn struct {
	URL          string          `sx:"url,required" title:"en=Address;zh=网址" doc:"Address, http or https." zh:"网址，http 或 https。"`
	ExpectStatus []int           `sx:"expect_status,default=[200]" title:"en=Expected status;zh=期望状态码" doc:"Status codes to wait for." zh:"等待出现的状态码。"`
	ExpectBody   string          `sx:"expect_body,type=text" title:"en=Text of the answer;zh=应答须包含" doc:"Text that the answer must contain." zh:"应答中必须包含的文本。"`
	ExpectMatch  string          `sx:"expect_match" title:"en=Pattern of the answer;zh=应答须匹配" doc:"Regular expression that the answer must match." zh:"应答必须匹配的正则表达式。"`
	Timeout      plugin.Duration `sx:"timeout,default=PT5M" title:"en=Time limit;zh=时限"`
	Interval     plugin.Duration `sx:"interval,default=PT2S" title:"en=Between attempts;zh=尝试间隔" doc:"Time between attempts." zh:"两次尝试的间隔。"`
}

type httpOut struct {
	Status   int    `sx:"status" title:"en=Status;zh=状态码" doc:"Status of the last answer; 0 for none." zh:"最后一次应答的状态码；没有应答则为 0。"`
	Matched  bool   `sx:"matched" title:"en=Matched;zh=已匹配" doc:"True where the last answer had the expected text and pattern. The answer itself is not given back." zh:"最后一次应答含有期望的文本并匹配时为 true；不返回应答内容。"`
	State    string `sx:"state" title:"en=State;zh=状态" doc:"up, or down where the answer was not as expected." zh:"应答符合预期时为 up，否则为 down。"`
	WaitedMS int64  `sx:"waited_ms" title:"en=Waited (ms);zh=等待 (毫秒)"`
}

// poll tries until it succeeds or the time is over. Each try says why not.
func poll(ctx context.Context, call *plugin.Call, every plugin.Duration, try func(context.Context) error) (waited int64, err error) {
	clock := call.Host.Clock
	begin := clock.Now()
	said := ""
	for {
		once, cancel := context.WithTimeout(ctx, probeTimeout)
		last := try(once)
		cancel()
		waited = clock.Now().Sub(begin).Milliseconds()
		if last == nil {
			return waited, nil
		}
		if refused := refusal(last); refused != nil {
			return waited, refused
		}
		// What the end of the wait itself cut off says nothing of the other side.
		end, ends := ctx.Deadline()
		if s := last.Error(); s != said && ctx.Err() == nil && !(ends && !clock.Now().Before(end)) {
			said = s
			_, _ = fmt.Fprintf(call, "%s\n", s) // never fails
		}
		next, stop := clock.After(max(time.Duration(every), minInterval))
		select {
		case <-ctx.Done():
			stop()
			return waited, gaveUp(ctx, said)
		case <-next:
		}
	}
}

// gaveUp adds to a time-out what was seen last.
func gaveUp(ctx context.Context, last string) error {
	cause := context.Cause(ctx)
	if e, ok := cause.(*plugin.Error); ok && last != "" {
		return plugin.TimedOut(e.Message + ": " + last)
	}
	return cause
}

// waitPort waits for a TCP port.
func (h *hosts) waitPort(ctx context.Context, call *plugin.Call, in portIn) (portOut, error) {
	address := in.Address
	if host, _, err := net.SplitHostPort(address); err == nil && in.Port != 0 {
		address = host
	}
	address, err := endpoint(address, in.Port)
	if err != nil {
		return portOut{}, err
	}
	ctx, cancel := until(ctx, in.Timeout, "port "+address)
	defer cancel()
	out, dial := portOut{State: stateClosed}, h.reach.dialer()
	out.WaitedMS, err = poll(ctx, call, in.Interval, func(ctx context.Context) error {
		c, err := dial(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return c.Close()
	})
	if err == nil {
		out.State = stateUp
	}
	return out, err
}

// waitHTTP waits for a web address. Nothing of an answer but its status comes back:
// whoever may ask must not read what only this machine may.
func (h *hosts) waitHTTP(ctx context.Context, call *plugin.Call, in httpIn) (httpOut, error) {
	u, err := url.Parse(in.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return httpOut{}, plugin.Fail("input.value", fmt.Sprintf("the input url is %q and not an address with http or https", in.URL))
	}
	match, err := regexp.Compile(in.ExpectMatch)
	if err != nil {
		return httpOut{}, plugin.Fail("input.value", "the input expect_match: "+err.Error())
	}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: h.reach.dialer(),
		TLSHandshakeTimeout: probeTimeout, MaxResponseHeaderBytes: maxHeader}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	ctx, cancel := until(ctx, in.Timeout, u.Redacted())
	defer cancel()
	out := httpOut{State: stateDown}
	out.WaitedMS, err = poll(ctx, call, in.Interval, func(ctx context.Context) error {
		status, body, err := get(ctx, client, in.URL)
		if status != 0 {
			out.Status, out.Matched = status, err == nil && strings.Contains(body, in.ExpectBody) && match.MatchString(body)
		}
		if err != nil {
			return err
		}
		switch {
		case !slices.Contains(in.ExpectStatus, status):
			return fmt.Errorf("%s answers with status %d", u.Redacted(), status)
		case !strings.Contains(body, in.ExpectBody):
			return fmt.Errorf("%s answers %d without the expected text", u.Redacted(), status)
		case !match.MatchString(body):
			return fmt.Errorf("%s answers %d with a text that does not match", u.Redacted(), status)
		}
		return nil
	})
	if err == nil {
		out.State = stateUp
	}
	return out, err
}

func get(ctx context.Context, client *http.Client, address string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", unanswered(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return resp.StatusCode, "", errors.New("the answer broke off")
	}
	return resp.StatusCode, string(body), nil
}

// unanswered says why there is no answer. The errors of the client repeat what a
// server said that does not speak HTTP.
func unanswered(err error) error {
	if refused := refusal(err); refused != nil {
		return refused
	}
	var timeout net.Error
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return errors.New("the connection was refused")
	case errors.As(err, &name):
		return errors.New("the name is not known")
	case errors.As(err, &certificate):
		return errors.New("the certificate is not valid for this address")
	case errors.As(err, &timeout) && timeout.Timeout():
		return errors.New("no answer in time")
	}
	return errors.New("the connection was made, and no answer of HTTP came")
}
