// oracle-writes is the part of an API server that decides who owns which field, with one object and without a network.
//
// Conversion, defaults, field tracking, the check of managedFields after mutating admission, the strategies that run
// before storage and the check that spares an etcd write are Kubernetes' own code. Ours are only the order in which they are
// called (apiserver pkg/endpoints/handlers create.go, update.go, patch.go; pkg/registry/generic/registry/store.go)
// and the clock: each write says what time it is.
//
// One JSON object a line in, one a line out:
//
//	{"do":"start","kind":KIND}                                      forgets everything
//	{"do":"forget"}                                                 the object is deleted
//	{"do":"write","how":"apply"|"update"|"status","manager":NAME,"force":BOOL,"now":RFC3339,"object":{…}}
//	    {"operation":"CREATE"|"UPDATE","object":{…},"old":{…}}      what a webhook would be asked about
//	    {"conflicts":[{"manager":NAME,"path":PATH}…]}               server-side apply refused it
//	    {"stored":{…},"changed":BOOL}                               a status write: no webhook, stored at once
//	    {"refused":REASON}                                          any other refusal; nothing happened
//	{"do":"store","object":{…}}                                     without object: as tracked, no patch
//	    {"stored":{…},"changed":BOOL,"reset":REASON}                reset: managedFields did not survive admission
//	    {"refused":REASON,"anyway":BOOL}                            anyway: it would be refused unpatched, too
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strconv"
	"time"

	crdinstall "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	crdopenapi "k8s.io/apiextensions-apiserver/pkg/generated/openapi"
	"k8s.io/apiextensions-apiserver/pkg/registry/customresourcedefinition"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/apiserver/pkg/endpoints/handlers/fieldmanager"
	"k8s.io/apiserver/pkg/endpoints/openapi"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/kube-openapi/pkg/builder3"
	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	_ "k8s.io/kubernetes/pkg/apis/rbac/install"
	"k8s.io/kubernetes/pkg/capabilities"
	coreopenapi "k8s.io/kubernetes/pkg/generated/openapi"
	"k8s.io/kubernetes/pkg/registry/apps/daemonset"
	"k8s.io/kubernetes/pkg/registry/core/configmap"
	"k8s.io/kubernetes/pkg/registry/core/serviceaccount"
	"k8s.io/kubernetes/pkg/registry/rbac/clusterrole"
	"k8s.io/kubernetes/pkg/registry/rbac/clusterrolebinding"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

type strategy interface {
	rest.RESTCreateStrategy
	rest.RESTUpdateStrategy
}

// A kind, as the API server's installer puts it together.
type kind struct {
	gvk      schema.GroupVersionKind
	scheme   *runtime.Scheme
	strategy strategy
	main     *managedfields.FieldManager
	status   *managedfields.FieldManager
	// Which strategy a status write runs through; nil where there is no status.
	statusStrategy rest.RESTUpdateStrategy
}

func (k *kind) hub() schema.GroupVersion {
	return schema.GroupVersion{Group: k.gvk.Group, Version: runtime.APIVersionInternal}
}

func resets(strategy any) map[fieldpath.APIVersion]fieldpath.Filter {
	if resetting, ok := strategy.(rest.ResetFieldsStrategy); ok {
		return fieldpath.NewExcludeFilterSetMap(resetting.GetResetFields())
	}
	return nil
}

func newKind(gvk schema.GroupVersionKind, scheme *runtime.Scheme, converter managedfields.TypeConverter, main strategy, status rest.RESTUpdateStrategy) *kind {
	k := &kind{gvk: gvk, scheme: scheme, strategy: main, statusStrategy: status}
	manager := func(subresource string, strategy any) *managedfields.FieldManager {
		manager, err := managedfields.NewDefaultFieldManager(converter, runtime.UnsafeObjectConvertor(scheme), scheme, scheme,
			gvk, k.hub(), subresource, resets(strategy))
		if err != nil {
			panic(err)
		}
		return manager
	}
	k.main = manager("", main)
	if status != nil {
		k.status = manager("status", status)
	}
	return k
}

// typeConverter is made as in GenericAPIServer.getOpenAPIModels.
func typeConverter(definitions common.GetOpenAPIDefinitions, scheme *runtime.Scheme, kinds ...schema.GroupVersionKind) managedfields.TypeConverter {
	namer := openapi.NewDefinitionNamer(scheme)
	config := &common.OpenAPIV3Config{Info: &spec.Info{}, GetDefinitionName: namer.GetDefinitionName, GetDefinitions: definitions}
	config.Definitions = definitions(func(name string) spec.Ref {
		name, _ = config.GetDefinitionName(name)
		return spec.MustCreateRef("#/components/schemas/" + common.EscapeJsonPointer(name))
	})
	var names []string
	for _, gvk := range kinds {
		name, err := scheme.ToOpenAPIDefinitionName(gvk)
		if err != nil {
			panic(err)
		}
		names = append(names, name)
	}
	models, err := builder3.BuildOpenAPIDefinitionsForResources(config, names...)
	if err != nil {
		panic(err)
	}
	converter, err := managedfields.NewTypeConverter(models, false)
	if err != nil {
		panic(err)
	}
	return converter
}

func kinds() map[string]*kind {
	core := legacyscheme.Scheme
	crds := runtime.NewScheme()
	crdinstall.Install(crds)
	metav1.AddToGroupVersion(crds, schema.GroupVersion{Version: "v1"})
	crd := apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition")
	rbac := schema.GroupVersion{Group: "rbac.authorization.k8s.io", Version: "v1"}
	daemonSet := schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "DaemonSet"}
	serviceAccount := schema.GroupVersionKind{Version: "v1", Kind: "ServiceAccount"}
	configMap := schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}
	role, binding := rbac.WithKind("ClusterRole"), rbac.WithKind("ClusterRoleBinding")
	types := typeConverter(coreopenapi.GetOpenAPIDefinitions, core, daemonSet, serviceAccount, configMap, role, binding)
	list := []*kind{
		newKind(daemonSet, core, types, daemonset.Strategy, daemonset.StatusStrategy),
		newKind(serviceAccount, core, types, serviceaccount.Strategy, nil),
		newKind(configMap, core, types, configmap.Strategy, nil),
		newKind(role, core, types, clusterrole.Strategy, nil),
		newKind(binding, core, types, clusterrolebinding.Strategy, nil),
		newKind(crd, crds, typeConverter(crdopenapi.GetOpenAPIDefinitions, crds, crd),
			customresourcedefinition.NewStrategy(crds), customresourcedefinition.NewStatusStrategy(crds)),
	}
	byName := map[string]*kind{}
	for _, k := range list {
		byName[k.gvk.Kind] = k
	}
	return byName
}

// versioned gives the object in the version that clients and webhooks see.
func (k *kind) versioned(obj runtime.Object) (runtime.Object, error) {
	out, err := k.scheme.UnsafeConvertToVersion(obj.DeepCopyObject(), k.gvk.GroupVersion())
	if err != nil {
		return nil, err
	}
	out.GetObjectKind().SetGroupVersionKind(k.gvk)
	return out, nil
}

func (k *kind) internal(obj runtime.Object) (runtime.Object, error) {
	return k.scheme.UnsafeConvertToVersion(obj, k.hub())
}

// encode writes the object as the API server would.
func (k *kind) encode(obj runtime.Object) (json.RawMessage, error) {
	if obj == nil {
		return nil, nil
	}
	versioned, err := k.versioned(obj)
	if err != nil {
		return nil, err
	}
	return json.Marshal(versioned)
}

// decode reads what a client or a webhook sent, with defaults, as an internal object.
func (k *kind) decode(text []byte) (runtime.Object, error) {
	obj, err := k.scheme.New(k.gvk)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, obj); err != nil {
		return nil, err
	}
	k.scheme.Default(obj)
	return k.internal(obj)
}

type order struct {
	Do      string          `json:"do"`
	Kind    string          `json:"kind"`
	How     string          `json:"how"`
	Manager string          `json:"manager"`
	Force   bool            `json:"force"`
	Now     string          `json:"now"`
	Object  json.RawMessage `json:"object"`
}

type conflict struct {
	Manager string `json:"manager"`
	Path    string `json:"path"`
}

type reply struct {
	Operation string          `json:"operation,omitempty"`
	Object    json.RawMessage `json:"object,omitempty"`
	Old       json.RawMessage `json:"old,omitempty"`
	Stored    json.RawMessage `json:"stored,omitempty"`
	Changed   bool            `json:"changed"`
	Reset     string          `json:"reset,omitempty"`
	Conflicts []conflict      `json:"conflicts,omitempty"`
	Refused   string          `json:"refused,omitempty"`
	Anyway    bool            `json:"anyway"`
}

// The one object, and the write that is under way.
type server struct {
	kinds   map[string]*kind
	kind    *kind
	live    runtime.Object
	tracked runtime.Object
	now     time.Time
	version int
	uids    int
}

// setClock puts the write's own time where the field manager took the machine's, and sorts as it does.
func (s *server) setClock(obj runtime.Object) {
	accessor, err := meta.Accessor(obj)
	if err != nil {
		panic(err)
	}
	entries := accessor.GetManagedFields()
	if entries == nil {
		return
	}
	// Told times lie decades back.
	told := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range entries {
		if entries[i].Time != nil && entries[i].Time.After(told) {
			entries[i].Time = &metav1.Time{Time: s.now}
		}
	}
	seconds := func(e metav1.ManagedFieldsEntry) int64 {
		if e.Time == nil {
			return 0
		}
		return e.Time.Unix()
	}
	// apimachinery pkg/util/managedfields/internal/managedfields.go, sortEncodedManagedFields
	sort.SliceStable(entries, func(i, j int) bool {
		p, q := entries[i], entries[j]
		switch {
		case p.Operation != q.Operation:
			return p.Operation < q.Operation
		case seconds(p) != seconds(q):
			return seconds(p) < seconds(q)
		case p.Manager != q.Manager:
			return p.Manager < q.Manager
		case p.APIVersion != q.APIVersion:
			return p.APIVersion < q.APIVersion
		default:
			return p.Subresource < q.Subresource
		}
	})
	accessor.SetManagedFields(entries)
}

// context is what the strategies ask a request for.
func (s *server) context(accessor metav1.Object) context.Context {
	verb := "update"
	if s.live == nil {
		verb = "create"
	}
	ctx := request.WithNamespace(request.NewContext(), accessor.GetNamespace())
	return request.WithRequestInfo(ctx, &request.RequestInfo{
		IsResourceRequest: true, Verb: verb, APIGroup: s.kind.gvk.Group, APIVersion: s.kind.gvk.Version,
		Namespace: accessor.GetNamespace(), Name: accessor.GetName(),
	})
}

func (s *server) write(o order) (reply, error) {
	k := s.kind
	now, err := time.Parse(time.RFC3339, o.Now)
	if err != nil {
		return reply{}, err
	}
	s.now, s.tracked = now, nil
	live := s.live
	if live == nil {
		if live, err = k.scheme.New(k.gvk); err != nil {
			return reply{}, err
		}
	}
	var obj runtime.Object
	switch o.How {
	case "apply":
		patch := &unstructured.Unstructured{}
		if err := patch.UnmarshalJSON(o.Object); err != nil {
			return reply{}, err
		}
		obj, err = k.main.Apply(live.DeepCopyObject(), patch, o.Manager, o.Force)
		var status apierrors.APIStatus
		if err != nil && errors.As(err, &status) && apierrors.IsConflict(err) {
			return conflicts(status), nil
		}
		if err != nil {
			return reply{Refused: err.Error()}, nil
		}
		if obj, err = k.internal(obj); err != nil {
			return reply{}, err
		}
	case "update", "status":
		if obj, err = k.decode(o.Object); err != nil {
			return reply{Refused: err.Error()}, nil
		}
		manager := k.main
		if o.How == "status" {
			manager = k.status
		}
		obj = manager.UpdateNoErrors(live.DeepCopyObject(), obj, o.Manager)
	default:
		return reply{}, fmt.Errorf("no such write: %q", o.How)
	}
	s.setClock(obj)
	s.tracked = obj
	if o.How == "status" {
		return s.put(obj.DeepCopyObject(), k.statusStrategy)
	}
	r := reply{Operation: "UPDATE"}
	if s.live == nil {
		r.Operation = "CREATE"
	} else if r.Old, err = k.encode(s.live); err != nil {
		return reply{}, err
	}
	r.Object, err = k.encode(obj)
	return r, err
}

func conflicts(status apierrors.APIStatus) reply {
	r := reply{Conflicts: []conflict{}}
	if details := status.Status().Details; details != nil {
		for _, cause := range details.Causes {
			r.Conflicts = append(r.Conflicts, conflict{Manager: cause.Message, Path: cause.Field})
		}
	}
	return r
}

func (s *server) store(o order) (reply, error) {
	if s.tracked == nil {
		return reply{}, errors.New("nothing to store")
	}
	obj := s.tracked.DeepCopyObject()
	if o.Object == nil {
		return s.put(obj, s.kind.strategy)
	}
	// As in the dispatcher of mutating webhooks: decode, default, convert.
	patched, err := s.kind.decode(o.Object)
	if err != nil {
		return reply{Refused: "after admission: " + err.Error()}, nil
	}
	reset := ""
	accessor, err := meta.Accessor(patched)
	if err != nil {
		return reply{}, err
	}
	if err := managedfields.ValidateManagedFields(accessor.GetManagedFields()); err != nil {
		before, _ := meta.Accessor(obj)
		accessor.SetManagedFields(before.GetManagedFields())
		reset = err.Error()
	}
	r, err := s.put(patched, s.kind.strategy)
	r.Reset = reset
	if err == nil && r.Refused != "" {
		without, err := s.put(obj, s.kind.strategy)
		r.Anyway = err == nil && without.Refused != ""
	}
	return r, err
}

// put is what happens between admission and etcd.
func (s *server) put(obj runtime.Object, strategy rest.RESTUpdateStrategy) (reply, error) {
	k := s.kind
	accessor, err := meta.Accessor(obj)
	if err != nil {
		return reply{}, err
	}
	ctx := s.context(accessor)
	if s.live == nil {
		s.uids++
		rest.FillObjectMetaSystemFields(accessor)
		accessor.SetUID(types.UID(fmt.Sprintf("00000000-0000-0000-0000-%012d", s.uids)))
		accessor.SetCreationTimestamp(metav1.Time{Time: s.now})
		if err := rest.BeforeCreate(k.strategy, ctx, obj); err != nil {
			return reply{Refused: err.Error()}, nil
		}
	} else {
		old, err := meta.Accessor(s.live)
		if err != nil {
			return reply{}, err
		}
		accessor.SetResourceVersion(old.GetResourceVersion())
		if err := rest.BeforeUpdate(strategy, ctx, obj, s.live.DeepCopyObject()); err != nil {
			return reply{Refused: err.Error()}, nil
		}
		if obj, err = fieldmanager.IgnoreManagedFieldsTimestampsTransformer(ctx, obj, s.live); err != nil {
			return reply{}, err
		}
		before, err := k.encode(s.live)
		if err != nil {
			return reply{}, err
		}
		after, err := k.encode(obj)
		if err != nil {
			return reply{}, err
		}
		if bytes.Equal(before, after) {
			return reply{Stored: before}, nil
		}
	}
	if accessor, err = meta.Accessor(obj); err != nil {
		return reply{}, err
	}
	s.version++
	accessor.SetResourceVersion(strconv.Itoa(s.version))
	// Through bytes, as through etcd.
	stored, err := k.encode(obj)
	if err != nil {
		return reply{}, err
	}
	s.live, err = k.decode(stored)
	return reply{Stored: stored, Changed: true}, err
}

func (s *server) answer(o order) (reply, error) {
	switch o.Do {
	case "start":
		k, ok := s.kinds[o.Kind]
		if !ok {
			return reply{}, fmt.Errorf("no such kind: %q", o.Kind)
		}
		*s = server{kinds: s.kinds, kind: k}
		return reply{}, nil
	case "forget":
		s.live, s.tracked = nil, nil
		return reply{}, nil
	case "write":
		return s.write(o)
	case "store":
		return s.store(o)
	default:
		return reply{}, fmt.Errorf("no such order: %q", o.Do)
	}
}

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	capabilities.Initialize(capabilities.Capabilities{AllowPrivileged: true})
	s := &server{kinds: kinds()}
	for {
		line, err := in.ReadBytes('\n')
		if err == io.EOF {
			return
		}
		var o order
		if err == nil {
			err = json.Unmarshal(line, &o)
		}
		var r reply
		if err == nil {
			r, err = s.answer(o)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "oracle-writes:", err)
			os.Exit(1)
		}
		text, err := json.Marshal(r)
		if err != nil {
			panic(err)
		}
		if _, err := os.Stdout.Write(append(text, '\n')); err != nil {
			os.Exit(1)
		}
	}
}
