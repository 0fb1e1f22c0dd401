module cni-steward.dev/tests/control-plane/pause

go 1.26.0
