package httpapi

// ShareOfTime makes shareOfTime visible to the tests.
var ShareOfTime = shareOfTime
