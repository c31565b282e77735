"""The API of `proctor.dev/v1alpha1`: its types, their CRDs, and what pods say to the operator."""
