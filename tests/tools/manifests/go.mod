// No code: pins the releases whose example YAML, CRDs and pages the tests read.
// Kept by hand, for `go mod tidy` would drop requirements that nothing imports;
// after a change run `go mod download` to bring go.sum along.
module interlock.dev/tests/tools/manifests

go 1.26.1

require (
	github.com/argoproj/argo-rollouts v1.10.1
	github.com/kserve/kserve v0.16.0
	sigs.k8s.io/gateway-api v1.6.3
)
