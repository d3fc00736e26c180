package httpapi

// ShareOfTime is for tests.
var ShareOfTime = shareOfTime
