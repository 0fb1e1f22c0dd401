//! The expressions that are the same for every policy: `decide` once more, in CEL.
//!
//! Read beside `decide.rs`, `decide/amend.rs`, `decide/claim.rs`, `writer.rs` and `provenance.rs`, in that order. CEL has
//! no functions, so each step is a variable. What is empty is left out of an object by the API server, hence the `?`.

type Variables = &'static [(&'static str, &'static str)];

/// Who writes: what the client said, or whose entry this write made or touched.
pub(super) const MANAGER: Variables = &[
    ("entries", "object.metadata.?managedFields.orValue([]).filter(entry, !has(entry.subresource))"),
    (
        "oldEntries",
        "request.operation == 'CREATE' ? [] : \
         oldObject.metadata.?managedFields.orValue([]).filter(entry, !has(entry.subresource))",
    ),
    (
        "touched",
        "variables.entries.filter(entry, !variables.oldEntries.exists(old, \
         old.?manager.orValue('') == entry.?manager.orValue('') && old.operation == entry.operation \
         && old.?time.orValue('') == entry.?time.orValue('')) \
         && !variables.oldEntries.exists(old, has(old.time) && has(entry.time) && old.time > entry.time))\
         .map(entry, entry.?manager.orValue(''))",
    ),
    (
        "manager",
        "request.?options.?fieldManager.orValue('') != '' ? string(request.options.fieldManager) \
         : size(variables.touched) > 0 && variables.touched.all(manager, manager == variables.touched[0]) \
         ? string(variables.touched[0]) : request.operation == 'UPDATE' && 'eks' in variables.touched ? 'eks' : ''",
    ),
];

/// What Block's refusal depends on. On CREATE the API server has set `creationTimestamp` by the time it validates, and so a
/// pause can be read here.
pub(super) const REFUSAL: Variables = &[
    (
        "parked",
        "request.resource.resource == 'daemonsets' \
         && ['io.cilium/aws-node-enabled', 'non-calico', 'non-existing', 'no-such-node'].exists(key, \
         key in object.spec.template.spec.?nodeSelector.orValue({}))",
    ),
    ("now", "timestamp(object.metadata.creationTimestamp)"),
    ("until", "string(object.metadata.?annotations['cni-steward.dev/allow-until'].orValue('')).trim()"),
    (
        "paused",
        "variables.until.matches('^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\
         ([.][0-9]{1,9})?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$') \
         && timestamp(variables.until.upperAscii()) > variables.now \
         && timestamp(variables.until.upperAscii()) - variables.now <= duration('24h')",
    ),
    (
        "name",
        "(request.?namespace.orValue('') == '' ? '' : string(request.namespace) + '/') + string(request.name)",
    ),
];

/// True for what Block lets through.
pub(super) const MAY_BE_CREATED: &str = "variables.exempt || variables.parked || variables.paused";

/// The words of the webhook's own refusal.
pub(super) const REFUSED: &str = "'CREATE of ' + string(request.kind.kind) + ' ' + variables.name + ' is refused because the \
     cni-steward policy (mode Block) keeps the VPC CNI from coming back. To create it all the same, let it through for an \
     hour: kubectl annotate --local --overwrite -f FILE cni-steward.dev/allow-until=' + string(variables.now + duration('1h')) + \
     ' -o yaml | kubectl apply -f -'";

/// What is set and removed.
pub(super) const STAMPING: Variables = &[
    ("labels", "object.metadata.?labels.orValue({})"),
    ("annotations", "object.metadata.?annotations.orValue({})"),
    ("oldLabels", "request.operation == 'CREATE' ? {} : oldObject.metadata.?labels.orValue({})"),
    ("oldAnnotations", "request.operation == 'CREATE' ? {} : oldObject.metadata.?annotations.orValue({})"),
    // Helm never stamps what it installs from crds/.
    ("stamped", "variables.mode == 'Adopt' && request.resource.resource != 'customresourcedefinitions'"),
    ("coreFour", "!(request.resource.resource in ['configmaps', 'customresourcedefinitions'])"),
    ("addon", "request.?userInfo.?username.orValue('') == 'eks:addon-manager'"),
    ("marked", "variables.annotations[?'cni-steward.dev/managed-addon'].orValue('') == 'true'"),
    // There is no clock here, so a pause that is over counts as well.
    ("paused", "'cni-steward.dev/allow-until' in variables.annotations"),
    (
        "anothers",
        "size(variables.release) > 0 \
         && ![variables.annotations, variables.oldAnnotations].exists(found, \
         found[?'meta.helm.sh/release-name'].orValue('') == variables.release.name \
         && found[?'meta.helm.sh/release-namespace'].orValue('') == variables.release.namespace) \
         && [variables.annotations, variables.oldAnnotations].exists(found, \
         found[?'meta.helm.sh/release-name'].orValue(variables.release.name) != variables.release.name \
         || found[?'meta.helm.sh/release-namespace'].orValue(variables.release.namespace) != variables.release.namespace)",
    ),
    (
        "act",
        "variables.paused ? 'leave' \
         : variables.exempt ? (variables.mode == 'Adopt' && variables.addon && !variables.marked ? 'mark' : 'leave') \
         : variables.marked || variables.anothers ? 'leave' : 'amend'",
    ),
    // Who installed it: on CREATE the writer, later the entry that is as old as the object, later still what is left to see.
    (
        "installers",
        "variables.oldEntries.filter(entry, !(entry.?manager.orValue('') in \
         ['', 'kube-controller-manager', 'kube-apiserver', 'kubelet', 'before-first-apply']))",
    ),
    (
        "creators",
        "variables.installers.filter(entry, has(entry.time) \
         && timestamp(entry.time) - timestamp(oldObject.metadata.creationTimestamp) <= duration('2s') \
         && timestamp(oldObject.metadata.creationTimestamp) - timestamp(entry.time) <= duration('2s')).map(entry, entry.manager)",
    ),
    // EKS before 2024 wrote as kubectl does.
    (
        "eksImages",
        "request.operation != 'CREATE' && request.resource.resource == 'daemonsets' \
         && oldObject.spec.template.spec.containers.exists(container, container.?image.orValue('').contains('-eksbuild.'))",
    ),
    (
        "byEks",
        "request.operation == 'CREATE' ? request.?userInfo.?username.orValue('').startsWith('eks:') \
         : size(variables.creators) > 0 && (variables.creators[0] == 'eks' \
         || (variables.creators[0] == 'kubectl-client-side-apply' && variables.eksImages))",
    ),
    (
        "byMarker",
        "'helm.toolkit.fluxcd.io/name' in (request.operation == 'CREATE' ? variables.labels : variables.oldLabels) ? 'flux' \
         : 'argocd.argoproj.io/tracking-id' in (request.operation == 'CREATE' ? variables.annotations : variables.oldAnnotations) \
         ? 'argocd' : ''",
    ),
    (
        "witness",
        "string(request.operation == 'CREATE' ? variables.manager \
         : size(variables.creators) > 0 ? variables.creators[0] \
         : variables.installers.exists(entry, entry.manager == 'eks' \
         || (entry.manager == 'kubectl-client-side-apply' && variables.eksImages)) ? 'eks' \
         : 'meta.helm.sh/release-name' in variables.oldAnnotations ? 'helm' \
         : size(variables.installers) > 0 ? variables.installers[0].manager : '')",
    ),
    (
        "installer",
        "variables.byEks ? 'eks' : variables.byMarker != '' ? variables.byMarker \
         : variables.witness in ['eks', 'eksctl'] ? variables.witness \
         : variables.witness in ['helm', 'Helm'] ? 'helm' \
         : variables.witness in ['helm-controller', 'kustomize-controller'] ? 'flux' \
         : variables.witness in ['', 'kube-controller-manager', 'kube-apiserver', 'kubelet', 'before-first-apply'] ? 'unknown' \
         : variables.witness.startsWith('argocd') ? 'argocd' \
         : variables.witness.startsWith('kubectl') ? 'kubectl' \
         : variables.witness.startsWith('pulumi') ? 'pulumi' \
         : variables.witness.lowerAscii().startsWith('terraform') ? 'terraform' : 'other'",
    ),
    (
        "released",
        "variables.clusterApi == 'Release' && variables.coreFour \
         && !('meta.helm.sh/release-name' in variables.annotations) \
         && variables.labels[?'app.kubernetes.io/managed-by'].orValue('') == 'Helm' \
         && (variables.addon || variables.manager == 'eks' \
         || variables.labels[?'cni-steward.dev/installed-by'].orValue('') == 'eks' \
         || object.metadata.?managedFields.orValue([]).exists(entry, entry.?manager.orValue('') == 'eks'))",
    ),
    (
        "setLabels",
        "variables.act != 'amend' ? {} : {\
         ?'app.kubernetes.io/managed-by': variables.stamped && size(variables.release) > 0 ? optional.of('Helm') \
         : variables.released ? optional.of('eks') : optional.none(), \
         ?'cni-steward.dev/installed-by': !variables.stamped ? optional.none() \
         : 'cni-steward.dev/installed-by' in variables.oldLabels \
         ? optional.of(string(variables.oldLabels['cni-steward.dev/installed-by'])) \
         : 'cni-steward.dev/installed-by' in variables.labels ? optional.none() : optional.of(variables.installer), \
         ?'aws.cluster.x-k8s.io/prevent-deletion': variables.clusterApi == 'Protect' && variables.coreFour \
         && !('aws.cluster.x-k8s.io/prevent-deletion' in variables.labels) ? optional.of('true') : optional.none()}",
    ),
    (
        "dropLabels",
        "variables.act == 'amend' && variables.clusterApi == 'Release' && variables.coreFour \
         ? ['aws.cluster.x-k8s.io/prevent-deletion'].filter(key, key in variables.labels) : []",
    ),
    (
        "setAnnotations",
        "variables.act == 'mark' ? {'cni-steward.dev/managed-addon': 'true'} \
         : variables.act == 'amend' && variables.stamped && size(variables.release) > 0 \
         ? {'meta.helm.sh/release-name': string(variables.release.name), \
         'meta.helm.sh/release-namespace': string(variables.release.namespace)} : {}",
    ),
    (
        "newLabels",
        "variables.setLabels.filter(key, variables.labels[?key] != optional.of(variables.setLabels[key]))",
    ),
    (
        "newAnnotations",
        "variables.setAnnotations.filter(key, variables.annotations[?key] != optional.of(variables.setAnnotations[key]))",
    ),
    // The API server takes 256 KiB of annotations. What does not fit is left alone.
    (
        "bytesMore",
        "variables.newAnnotations.map(key, key in variables.annotations \
         ? (size(bytes(variables.setAnnotations[key])) > size(bytes(string(variables.annotations[key]))) \
         ? size(bytes(variables.setAnnotations[key])) - size(bytes(string(variables.annotations[key]))) : 0) \
         : size(bytes(key)) + size(bytes(variables.setAnnotations[key]))).sum()",
    ),
    (
        "full",
        "variables.bytesMore > 0 && variables.bytesMore + variables.annotations.map(key, \
         size(bytes(string(key))) + size(bytes(string(variables.annotations[key])))).sum() > 262144",
    ),
];

/// The changes, in the words of JSON Patch.
pub(super) const PATCH: &str = "variables.full ? [] : \
     (!has(object.metadata.labels) && size(variables.newLabels) > 0 \
     ? [JSONPatch{op: 'add', path: '/metadata/labels', value: {}}] : []) \
     + (!has(object.metadata.annotations) && size(variables.newAnnotations) > 0 \
     ? [JSONPatch{op: 'add', path: '/metadata/annotations', value: {}}] : []) \
     + variables.newLabels.map(key, JSONPatch{op: 'add', \
     path: '/metadata/labels/' + jsonpatch.escapeKey(key), value: variables.setLabels[key]}) \
     + variables.dropLabels.map(key, JSONPatch{op: 'remove', path: '/metadata/labels/' + jsonpatch.escapeKey(key)}) \
     + variables.newAnnotations.map(key, JSONPatch{op: 'add', \
     path: '/metadata/annotations/' + jsonpatch.escapeKey(key), value: variables.setAnnotations[key]})";
