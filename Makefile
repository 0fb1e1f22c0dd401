.PHONY: control-plane
control-plane: ## Get the programs the API server tests need, building what is not here
	tests/control-plane/get.sh
