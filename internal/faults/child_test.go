package faults_test

const childEndpoint = "BLAZE_FAULTS_ENDPOINT"

func child() int { return 0 }
