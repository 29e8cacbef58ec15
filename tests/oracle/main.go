// The oracle answers what Go itself makes of PEM texts, keys and chains: one JSON question a line in, one answer a line out.
package main

import (
	"bufio"
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

type question struct {
	Op            string
	Text          string
	Certificate   []byte
	Issuer        []byte
	Roots         [][]byte
	Intermediates [][]byte
	At            time.Time
}

type answer struct {
	Error        string   `json:"error"`
	Certificates []string `json:"certificates"`
}

// certificates reads a bundle in the way of Linkerd's DecodePEMCertPool: it stops without an error at the first block that is
// no certificate, and any rest that is no PEM is an error.
func certificates(text string) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for rest := []byte(text); len(rest) > 0; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, errors.New("not a PEM certificate")
		}
		if block.Type != "CERTIFICATE" {
			break
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		out = append(out, certificate)
	}
	if len(out) == 0 {
		return nil, errors.New("no certificates found")
	}
	return out, nil
}

func verify(q question) error {
	pool := func(ders [][]byte) (*x509.CertPool, error) {
		pool := x509.NewCertPool()
		for _, der := range ders {
			certificate, err := x509.ParseCertificate(der)
			if err != nil {
				return nil, err
			}
			pool.AddCert(certificate)
		}
		return pool, nil
	}
	issuer, err := x509.ParseCertificate(q.Issuer)
	if err != nil {
		return err
	}
	roots, err := pool(q.Roots)
	if err != nil {
		return err
	}
	intermediates, err := pool(q.Intermediates)
	if err != nil {
		return err
	}
	options := x509.VerifyOptions{Roots: roots, Intermediates: intermediates, CurrentTime: q.At}
	if _, err := issuer.Verify(options); err != nil {
		return err
	}
	if !issuer.IsCA {
		return errors.New("failed to verify issuer certificate: it must be an intermediate-CA, but it is not")
	}
	return nil
}

// key reads the first block as a private key and matches it with the certificate.
func key(text string, certificate []byte) error {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return errors.New("not PEM-encoded")
	}
	var private any
	var err error
	switch block.Type {
	case "EC PRIVATE KEY":
		private, err = x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		private, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "PRIVATE KEY":
		private, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	default:
		err = fmt.Errorf("unsupported block type: '%s'", block.Type)
	}
	if err != nil {
		return err
	}
	parsed, err := x509.ParseCertificate(certificate)
	if err != nil {
		return err
	}
	type comparable interface{ Equal(crypto.PublicKey) bool }
	if !parsed.PublicKey.(comparable).Equal(private.(crypto.Signer).Public()) {
		return errors.New("tls: private key does not match public key")
	}
	return nil
}

func ask(q question) (a answer) {
	var err error
	switch q.Op {
	case "pem":
		var found []*x509.Certificate
		found, err = certificates(q.Text)
		for _, certificate := range found {
			sum := sha256.Sum256(certificate.Raw)
			a.Certificates = append(a.Certificates, hex.EncodeToString(sum[:]))
		}
	case "parse":
		_, err = x509.ParseCertificate(q.Certificate)
	case "key":
		err = key(q.Text, q.Certificate)
	case "verify":
		err = verify(q)
	default:
		err = fmt.Errorf("unknown question %q", q.Op)
	}
	if err != nil {
		a.Error = err.Error()
	}
	return a
}

func main() {
	in, out := bufio.NewReader(os.Stdin), bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for {
		line, err := in.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			var q question
			if err := json.Unmarshal(line, &q); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			text, _ := json.Marshal(ask(q))
			fmt.Fprintf(out, "%s\n", text)
		}
		if err == io.EOF {
			return
		}
	}
}
