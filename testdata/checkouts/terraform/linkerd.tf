resource "helm_release" "linkerd" {
  name       = "linkerd-control-plane"
  namespace  = "linkerd"
  repository = "https://helm.linkerd.io/edge"
  chart      = "linkerd-control-plane"
  version    = "2025.4.4"

  set {
    name  = "identityTrustAnchorsPEM"
    value = file("${path.module}/ca.crt")
  }
}
