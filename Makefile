.PHONY: control-plane oracle
control-plane: ## Get the programs the API server tests need, building what is not here
	tests/control-plane/get.sh

oracle: ## Hold field ownership against Go itself: CNI_STEWARD_ORACLE_PAIRS pairs of sets, CNI_STEWARD_ORACLE_SEQUENCES of writes
	tests/control-plane/get.sh oracle-sets oracle-writes
	CNI_STEWARD_REQUIRE=control-plane \
	CNI_STEWARD_ORACLE_PAIRS=$${CNI_STEWARD_ORACLE_PAIRS:-1000000} \
	CNI_STEWARD_ORACLE_SEQUENCES=$${CNI_STEWARD_ORACLE_SEQUENCES:-50000} \
	cargo test --release --test oracle
