// Runs the part of Cluster API Provider AWS (CAPA) that removes the Amazon VPC CNI, once, against the API server of a
// kubeconfig. The decision which objects go is CAPA's own code (package awsnode), linked in from the pinned module;
// this program supplies the cluster and says what was there before and after.
//
//	capa KUBECONFIG
//
// One line for each of the four objects CAPA knows about: kind, name, then "kept", "deleted", "created" or "absent".
package main

import (
	"context"
	"fmt"
	"os"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sigs.k8s.io/cluster-api-provider-aws/v2/pkg/cloud"
	"sigs.k8s.io/cluster-api-provider-aws/v2/pkg/cloud/scope"
	"sigs.k8s.io/cluster-api-provider-aws/v2/pkg/cloud/services/awsnode"
)

// disabling is the scope of a cluster whose spec says vpcCni.disable=true. The embedded interface is nil on purpose:
// a call of anything that CAPA does not need for the removal panics, and we learn of it.
type disabling struct {
	scope.AWSNodeScope
	cluster client.Client
}

func (d disabling) RemoteClient() (client.Client, error) { return d.cluster, nil }
func (d disabling) DisableVPCCNI() bool                  { return true }
func (d disabling) Name() string                         { return "cluster" }
func (d disabling) Namespace() string                    { return "default" }
func (d disabling) InfraCluster() cloud.ClusterObject    { return nil }

func (d disabling) Info(message string, _ ...any)             { fmt.Fprintln(os.Stderr, message) }
func (d disabling) Debug(message string, _ ...any)            { fmt.Fprintln(os.Stderr, message) }
func (d disabling) Error(err error, message string, _ ...any) { fmt.Fprintln(os.Stderr, message, err) }

type object struct {
	kind      string
	namespace string
	empty     func() client.Object
}

var objects = []object{
	{"DaemonSet", "kube-system", func() client.Object { return &appsv1.DaemonSet{} }},
	{"ServiceAccount", "kube-system", func() client.Object { return &corev1.ServiceAccount{} }},
	{"ClusterRole", "", func() client.Object { return &rbacv1.ClusterRole{} }},
	{"ClusterRoleBinding", "", func() client.Object { return &rbacv1.ClusterRoleBinding{} }},
}

func there(ctx context.Context, cluster client.Client, o object) (bool, error) {
	err := cluster.Get(ctx, client.ObjectKey{Namespace: o.namespace, Name: "aws-node"}, o.empty())
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

func run() error {
	if len(os.Args) != 2 {
		return fmt.Errorf("usage: %s KUBECONFIG", os.Args[0])
	}
	config, err := clientcmd.BuildConfigFromFlags("", os.Args[1])
	if err != nil {
		return err
	}
	cluster, err := client.New(config, client.Options{})
	if err != nil {
		return err
	}
	ctx := context.Background()
	before := make([]bool, len(objects))
	for i, o := range objects {
		if before[i], err = there(ctx, cluster, o); err != nil {
			return err
		}
	}
	if err := awsnode.NewService(disabling{cluster: cluster}).ReconcileCNI(ctx); err != nil {
		return err
	}
	for i, o := range objects {
		after, err := there(ctx, cluster, o)
		if err != nil {
			return err
		}
		fate := "absent"
		switch {
		case before[i] && after:
			fate = "kept"
		case before[i]:
			fate = "deleted"
		case after:
			fate = "created"
		}
		fmt.Println(o.kind, "aws-node", fate)
	}
	return nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "capa:", err)
		os.Exit(1)
	}
}
